"""What the network sees of a source: a square around it, as large as in training.

It knows regions of a wide image; it knows neither files nor the network.
"""

import math

import numpy as np
from numpy.typing import NDArray

from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.images.resize import resize_square
from galaxy_models.images.wide_image import WideImage

# Galaxy Zoo 2's cutouts have a side of 8.48 × the radius with 90 % of the light.
CUTOUT_PER_R90 = 8.48
MARGIN_PX = 3  # for the filters


def cut_stamp(
    image: WideImage,
    planes: NDArray[np.float32],
    place: tuple[float, float],
    r90: float,
    rule: DecodeRule,
) -> NDArray[np.uint8]:
    """Cut a source out of a region of its image.

    Args:
        image: whose planes they are.
        planes: float32, shape (bands, rows, columns), the region; outside it is dark.
        place: the source's (x, y) in the region, px.
        r90: radius that holds 90 % of its light (px).
        rule: how training cut and resized its images.

    Returns:
        uint8, shape (image_size, image_size, 3), rows from the top.
    """
    side = CUTOUT_PER_R90 * r90 * rule.crop_fraction
    reach = side / 2 + MARGIN_PX
    left, top = (math.floor(value - reach) for value in place)
    right, bottom = (math.ceil(value + reach) + 1 for value in place)
    region = _padded(planes, slice(top, bottom), slice(left, right))
    x, y = place[0] - left + 0.5, place[1] - top + 0.5  # from the region's corner
    if image.is_upside_down:
        y = region.shape[1] - y
    box = x - side / 2, y - side / 2, x + side / 2, y + side / 2
    return resize_square(image.to_rgb(region), box, rule.image_size, extra_blur=0)


def cut_around(
    image: WideImage, place: tuple[float, float], r90: float, rule: DecodeRule
) -> NDArray[np.uint8]:
    """Read as much of an image as a source's stamp needs, and cut it.

    Args:
        image: open.
        place: the source's (x, y) in it, px; the rest as for ``cut_stamp``.
        r90: see there.
        rule: see there.

    Raises:
        ImageDecodeError: the image cannot be read there.
    """
    reach = math.ceil(CUTOUT_PER_R90 * r90 * rule.crop_fraction / 2 + 2 * MARGIN_PX)
    starts = [max(0, math.floor(value) - reach) for value in place]
    rows = slice(starts[1], min(image.height, math.ceil(place[1]) + reach))
    columns = slice(starts[0], min(image.width, math.ceil(place[0]) + reach))
    local = place[0] - starts[0], place[1] - starts[1]
    return cut_stamp(image, image.read(rows, columns), local, r90, rule)


def _padded(
    planes: NDArray[np.float32], rows: slice, columns: slice
) -> NDArray[np.float32]:
    """Take a region that may reach beyond the planes: 0 there, and for NaN."""
    height, width = planes.shape[1:]
    region = np.zeros(
        (len(planes), rows.stop - rows.start, columns.stop - columns.start), np.float32
    )
    top, bottom = max(rows.start, 0), min(rows.stop, height)
    left, right = max(columns.start, 0), min(columns.stop, width)
    region[
        :,
        top - rows.start : bottom - rows.start,
        left - columns.start : right - columns.start,
    ] = np.nan_to_num(planes[:, top:bottom, left:right])
    return region
