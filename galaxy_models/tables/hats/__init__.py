"""Predictions -> a HATS catalog: partitions by pixel of the sky, as ``lsdb`` opens it.

    pixels.py         positions -> HEALPix index -> partitions
    sorted_runs.py    rows sorted by index, some at a time, on disk
    catalog_files.py  the files of a catalog
    pipeline.py       the order of it all; resumes

Catalogs that come in are read by ``formats/hats.py``. The package ``hats`` serves the
tests only: it brings a compiler (200 MB), and its writers are not durable.
"""

from galaxy_models.tables.hats.pipeline import OUTPUT, HatsRecord, write_hats

__all__ = ["OUTPUT", "HatsRecord", "write_hats"]
