"""A picture of a wide image with boxes around what was found.

Boxes are thin, stand off the light and are coloured by class; stars and what is too
small for a class have none. Images larger than ``MAX_SIDE_PX`` are shown smaller; they
are read in strips, never whole. It knows rows and images; it knows no files.
"""

import io
import math
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from galaxy_models.detection.colours import colour_of
from galaxy_models.images.wide_image import WideImage

MAX_SIDE_PX = 4096
STRIP_PX = 512
QUALITY = 90
GAP_PX = 4  # between a source's R90 and its box
FONT_PX = 13
LEGEND_PX = 22  # height of the strip below the picture
SHOWN_SCORE = 0.5  # from which a row is taken for a galaxy, if it has one
HIDDEN = ("star", "artefact")


def overlay(rows: pd.DataFrame, image: WideImage) -> bytes:
    """Draw an image and the galaxies in it.

    Args:
        rows: of ``jobs.detect``, with ``r90``.
        image: theirs.

    Returns:
        A JPEG, as people look at the image.

    Raises:
        ImageDecodeError: the image cannot be read.
    """
    factor = math.ceil(max(image.height, image.width) / MAX_SIDE_PX)
    picture = _picture(image, factor)
    canvas = Image.new("RGB", (picture.width, picture.height + LEGEND_PX))
    canvas.paste(picture)
    draw = ImageDraw.Draw(canvas)
    shown = galaxies_to_show(rows)
    row: Any
    for row in shown.itertuples():
        y = image.height - 1 - row.y if image.is_upside_down else row.y
        x, y = (row.x + 0.5) / factor, (y + 0.5) / factor
        half = row.r90 / factor + GAP_PX
        box = (x - half, y - half, x + half, y + half)
        draw.rectangle(box, outline=colour_of(row.predicted_class))
    _draw_legend(draw, Counter(shown["predicted_class"]), picture.height)
    stream = io.BytesIO()
    canvas.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


def galaxies_to_show(rows: pd.DataFrame) -> pd.DataFrame:
    """Primary rows that are taken for galaxies and have a class."""
    is_shown = rows["is_primary"] & rows["predicted_class"].notna()
    is_shown &= ~rows["predicted_class"].isin(HIDDEN)
    return rows[is_shown & ~(rows["score"] < SHOWN_SCORE)]


def _picture(image: WideImage, factor: int) -> Image.Image:
    """The image as people look at it, each side divided by a factor."""
    strips = []
    for top in range(0, image.height, STRIP_PX * factor):
        rows = slice(top, min(top + STRIP_PX * factor, image.height))
        planes = np.nan_to_num(image.read(rows, slice(0, image.width)))
        strips.append(Image.fromarray(image.to_rgb(planes)).reduce(factor))
    if image.is_upside_down:
        strips.reverse()
    height = sum(strip.height for strip in strips)
    picture = Image.new("RGB", (strips[0].width, height))
    top = 0
    for strip in strips:
        picture.paste(strip, (0, top))
        top += strip.height
    return picture


def _draw_legend(draw: ImageDraw.ImageDraw, counts: Counter[str], top: int) -> None:
    """Name the colours and how many there are, below the picture."""
    font = ImageFont.load_default(FONT_PX)
    x, y = 8.0, top + (LEGEND_PX - FONT_PX) / 2 - 1
    if not counts:
        draw.text((x, y), "no galaxies with a class", "#cccccc", font)
    for name, count in sorted(counts.items()):
        text = f"{name} {count:,}"
        draw.rectangle((x, y + 2, x + 10, y + 12), outline=colour_of(name))
        draw.text((x + 15, y), text, colour_of(name), font)
        x += 15 + draw.textlength(text, font) + 18
