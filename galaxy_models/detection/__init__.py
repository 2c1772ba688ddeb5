"""Galaxies in wide images: images in, a row for each source out.

request.py     what was asked for, checked
tile_list.py   the tiles of all images
plan.py        how they are spread
pipeline.py    the driver: ``detect``
on_ray.py      its workers on a cluster
worker.py      what each of them does
run_record.py  what came out
hand_over.py   what is made of it: stamps, regions, overlays

tiles.py       core and halo: which part of an image a tile is
noise.py       an image's noise, from samples of it
region.py      the pixels of a tile
extraction.py  sources and what they can be split into, by ``sep``
families.py    which of them are a tile's own, and their ids
photometry.py  flux, size, shape and position
quality.py     flags
sky.py         positions and angles on the sky
stamps.py      what the network sees of a source
regions.py     files for DS9 and Aladin
overlay.py     a picture with boxes
colours.py     of classes
opening.py     the images of a table, by number
rows.py        the rows that people read
arbitration.py which of a source and its parts is right, by the network
detector.py    all of these: a tile -> rows
"""

from galaxy_models.detection.pipeline import detect
from galaxy_models.detection.run_record import RunRecord

__all__ = ["RunRecord", "detect"]
