"""What the network sees of a source: a square around it, as large as in training.

It knows regions of a wide image; it knows neither files nor the network.
"""

import math
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.images.resize import resize_square
from galaxy_models.images.wide_image import WideImage

# Galaxy Zoo 2's cutouts have a side of 8.48 × the radius with 90 % of the light.
CUTOUT_PER_R90 = 8.48
MARGIN_PX = 3  # for the filters
PIXELS_AT_ONCE = 65_536  # coloured; fewer make more calls, more are more memory


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
    def shape(self) -> tuple[int, int]:
        """With the margin."""
        height, width = (part.stop - part.start for part in (self.rows, self.columns))
        return height, width

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
    stamps = [
        _resized(picture, square, image.is_upside_down, rule.image_size)
        for some in _groups(squares)
        for square, picture in zip(some, _pictures(image, planes, some), strict=True)
    ]
    return np.stack(stamps)


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
    planes = image.read(rows, columns)
    return np.asarray(cut_stamps(image, planes, local, np.array([r90]), rule)[0])


def _square(x: float, y: float, side: float) -> _Square:
    reach = side / 2 + MARGIN_PX
    rows, columns = (
        slice(math.floor(value - reach), math.ceil(value + reach) + 1)
        for value in (y, x)
    )
    return _Square(rows, columns, x - columns.start + 0.5, y - rows.start + 0.5, side)


def _groups(squares: list[_Square]) -> Iterator[list[_Square]]:
    """Split squares into runs of about ``PIXELS_AT_ONCE`` pixels."""
    pixels = np.cumsum([math.prod(square.shape) for square in squares])
    for _, some in groupby(
        zip(pixels // PIXELS_AT_ONCE, squares, strict=True), itemgetter(0)
    ):
        yield [square for _, square in some]


def _pictures(
    image: WideImage, planes: NDArray[np.float32], squares: list[_Square]
) -> list[NDArray[np.uint8]]:
    """Colour the pixels of squares; NaN and what lies outside the planes is black.

    A pixel's colour depends on that pixel alone, so many squares are coloured in one
    call: a call for each takes three times as long.

    Returns:
        uint8, shape (rows, columns, 3), of each square, rows as in the planes.
    """
    parts = [planes[:, *square.inside] for square in squares]
    row = np.concatenate([part.reshape(len(planes), 1, -1) for part in parts], axis=2)
    np.nan_to_num(row, copy=False)
    ends = range(PIXELS_AT_ONCE, row.shape[2], PIXELS_AT_ONCE)  # of a giant's runs
    runs = np.split(row, ends, axis=2)
    colours = np.concatenate([image.to_rgb(run)[0] for run in runs])
    ends_of_parts = np.cumsum([part[0].size for part in parts])[:-1]
    return [
        _padded(colours_of_part.reshape(*part.shape[1:], 3), square)
        for colours_of_part, part, square in zip(
            np.split(colours, ends_of_parts), parts, squares, strict=True
        )
    ]


def _padded(picture: NDArray[np.uint8], square: _Square) -> NDArray[np.uint8]:
    """Give a square its part that lies outside the image: black."""
    height, width = square.shape
    if picture.shape[:2] == (height, width):
        return picture
    top, left = (max(-part.start, 0) for part in (square.rows, square.columns))
    padded = np.zeros((height, width, 3), np.uint8)
    padded[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return padded


def _resized(
    picture: NDArray[np.uint8], square: _Square, is_upside_down: bool, size: int
) -> NDArray[np.uint8]:
    """Turn a square's picture up and resize it without its margin."""
    x, y, half = square.x, square.y, square.side / 2
    if is_upside_down:
        picture, y = picture[::-1], len(picture) - y
    return resize_square(picture, (x - half, y - half, x + half, y + half), size, 0)
