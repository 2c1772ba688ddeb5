"""What the network sees of a source: a square around it, as large as in training.

It knows regions of a wide image; it knows neither files nor the network.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.images.resize import resize_square
from galaxy_models.images.wide_image import WideImage

# Galaxy Zoo 2's cutouts have a side of 8.48 × the radius with 90 % of the light.
CUTOUT_PER_R90 = 8.48
MARGIN_PX = 3  # for the filters
ROWS_PER_STRIP = 256  # so that floats of a whole tile never stand in memory at once


class _Square(NamedTuple):
    """A source's square in a region, with a margin; it may reach beyond."""

    rows: slice
    columns: slice
    x: float
    """The source's place, px from the corner of these rows and columns."""

    y: float
    side: float
    """Without the margin, px."""

    @property
    def inside(self) -> tuple[slice, slice]:
        """The rows and columns, as slices of the region."""
        rows, columns = (
            slice(max(part.start, 0), part.stop) for part in (self.rows, self.columns)
        )
        return rows, columns


def cut_stamps(
    image: WideImage,
    planes: NDArray[np.float32],
    places: NDArray[np.float64],
    r90: NDArray[np.float64],
    rule: DecodeRule,
) -> NDArray[np.uint8]:
    """Cut sources out of a region of their image.

    Args:
        image: whose planes they are.
        planes: float32, shape (bands, rows, columns), the region; outside it is dark.
        places: the sources' (x, y) in the region, px, shape (sources, 2).
        r90: radii that hold 90 % of their light (px), shape (sources,).
        rule: how training cut and resized its images.

    Returns:
        uint8, shape (sources, image_size, image_size, 3), rows from the top.
    """
    sides = CUTOUT_PER_R90 * r90 * rule.crop_fraction
    squares = [
        _square(x, y, side)
        for (x, y), side in zip(places.tolist(), sides.tolist(), strict=True)
    ]
    picture = _picture(image, planes, squares)
    stamps = np.empty((len(squares), rule.image_size, rule.image_size, 3), np.uint8)
    for stamp, square in zip(stamps, squares, strict=True):
        stamp[:] = _cut(picture, square, image.is_upside_down, rule.image_size)
    return stamps


def cut_around(
    image: WideImage, place: tuple[float, float], r90: float, rule: DecodeRule
) -> NDArray[np.uint8]:
    """Read as much of an image as a source's stamp needs, and cut it.

    Args:
        image: open.
        place: the source's (x, y) in it, px.
        r90: radius that holds 90 % of its light (px).
        rule: how training cut and resized its images.

    Returns:
        uint8, shape (image_size, image_size, 3), rows from the top.

    Raises:
        ImageDecodeError: the image cannot be read there.
    """
    reach = math.ceil(CUTOUT_PER_R90 * r90 * rule.crop_fraction / 2 + 2 * MARGIN_PX)
    starts = [max(0, math.floor(value) - reach) for value in place]
    rows = slice(starts[1], min(image.height, math.ceil(place[1]) + reach))
    columns = slice(starts[0], min(image.width, math.ceil(place[0]) + reach))
    local = np.subtract([place], starts)
    return cut_stamps(image, image.read(rows, columns), local, np.array([r90]), rule)[0]


def _square(x: float, y: float, side: float) -> _Square:
    reach = side / 2 + MARGIN_PX
    rows, columns = (
        slice(math.floor(value - reach), math.ceil(value + reach) + 1)
        for value in (y, x)
    )
    return _Square(rows, columns, x - columns.start + 0.5, y - rows.start + 0.5, side)


def _picture(
    image: WideImage, planes: NDArray[np.float32], squares: list[_Square]
) -> NDArray[np.uint8]:
    """Give the pixels of squares their colours, each pixel once; the others are black.

    Colours depend on a pixel alone, so those of many squares are found together: a
    square at a time takes several times as long.

    Returns:
        uint8, shape (rows, columns, 3), rows as in the planes.
    """
    is_needed = np.zeros(planes.shape[1:], bool)
    for square in squares:
        is_needed[square.inside] = True
    picture = np.zeros((*is_needed.shape, 3), np.uint8)
    for start in range(0, len(picture), ROWS_PER_STRIP):
        rows = slice(start, start + ROWS_PER_STRIP)
        of_strip = is_needed[rows]
        if of_strip.any():
            row = np.nan_to_num(planes[:, rows][:, of_strip])[:, np.newaxis]
            picture[rows][of_strip] = image.to_rgb(row)[0]
    return picture


def _cut(
    picture: NDArray[np.uint8], square: _Square, is_upside_down: bool, size: int
) -> NDArray[np.uint8]:
    """Cut a square out of a region's picture, turn it up and resize it."""
    region, x, y = _padded(picture, square), square.x, square.y
    if is_upside_down:
        region, y = region[::-1], len(region) - y
    half = square.side / 2
    return resize_square(region, (x - half, y - half, x + half, y + half), size, 0)


def _padded(picture: NDArray[np.uint8], square: _Square) -> NDArray[np.uint8]:
    """Take a square, with its margin, that may reach beyond a picture: black there."""
    inside = picture[square.inside]
    top, left = (max(-part.start, 0) for part in (square.rows, square.columns))
    height, width = (part.stop - part.start for part in (square.rows, square.columns))
    if inside.shape[:2] == (height, width):
        return inside
    region = np.zeros((height, width, 3), np.uint8)
    region[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return region
