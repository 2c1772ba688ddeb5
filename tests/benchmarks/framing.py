"""Frame a galaxy by its own size, whatever the pixel scale of its picture.

Galaxy Zoo 2's pictures are 8.48 times as wide as the galaxy's Petrosian radius R90
(Willett et al. 2013), others' are not. Here the radius that holds 90 % of the central
source's light is measured, and a square of so many radii is cut.
"""

import numpy as np
import sep
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

THRESHOLD = 3.0  # of the sky's noise
MIN_THRESHOLD_LEVELS = 4.0  # JPEG clips and smooths the noise
MIN_AREA_PX = 12
BLACK_LEVEL = 2  # at most so many grey levels: no sky, but padding
MAD_TO_SIGMA = 1.4826
MIN_RADIUS_PX = 2.0


def central_r90(image: Pixels) -> float | None:
    """Measure the source in the middle.

    Args:
        image: uint8, shape (height, width, 3).

    Returns:
        The radius about the middle that holds 90 % of the source's light (px), or None
        where there is no source.
    """
    grey = image.mean(axis=2, dtype=np.float32)
    is_padding = image.max(axis=2) <= BLACK_LEVEL
    if is_padding.all():
        return None
    sky = np.median(grey[~is_padding])
    noise = MAD_TO_SIGMA * np.median(np.abs(grey[~is_padding] - sky))
    light = np.where(is_padding, 0, grey - sky)
    sources, segments = sep.extract(
        light,
        max(THRESHOLD * noise, MIN_THRESHOLD_LEVELS),
        minarea=MIN_AREA_PX,
        deblend_cont=1.0,
        segmentation_map=True,
    )
    if not len(sources):
        return None
    middle_y, middle_x = (side / 2 for side in grey.shape)
    number = segments[int(middle_y), int(middle_x)]
    if number == 0:
        away = np.hypot(sources["x"] - middle_x, sources["y"] - middle_y)
        number = 1 + int(away.argmin())
    y, x = np.nonzero(segments == number)
    radius = np.hypot(y - middle_y, x - middle_x)
    order = np.argsort(radius)
    share = np.cumsum(light[y, x][order])
    return float(radius[order][np.searchsorted(share, 0.9 * share[-1])])


def framed(image: Pixels, radii: float) -> Pixels:
    """Cut a square of so many R90 around the middle; black beyond the picture.

    Args:
        image: uint8, shape (height, width, 3).
        radii: side of the square, in R90 of the central source.

    Returns:
        Shape (side, side, 3); the whole picture where no source is found.
    """
    r90 = central_r90(image)
    if r90 is None:
        return image
    side = round(radii * max(r90, MIN_RADIUS_PX))
    left, top = ((length - side) // 2 for length in (image.shape[1], image.shape[0]))
    window = (left, top, left + side, top + side)
    return np.asarray(Image.fromarray(image).crop(window))
