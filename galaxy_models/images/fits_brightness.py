"""Which stretch suits FITS fluxes, whose unit is each survey's own.

Fluxes in another unit than a stretch is meant for become white pictures or black ones,
which a network takes for galaxies all the same. This module knows nothing of catalogs.
"""

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from galaxy_models.config.decode_rule import DecodeRule, is_positive
from galaxy_models.errors import ImageDecodeError
from galaxy_models.images.files import ImageFile
from galaxy_models.images.fits import is_fits, read_planes

LINEAR_SHARE = 0.1  # of the scale from black to white, in astropy's stretch
MIN_Q, MAX_Q = 1e-7, 1e10  # beyond, astropy's stretch hardly changes
WHITE = 1.0
MIN_PEAK = 16 / 255  # a picture whose brightest pixel is darker counts as black
GOOD_CENTRE = 0.6  # a galaxy's centre: light grey
PERCENTILES = (90, 99, 100)  # of a square's pixels
SHOWN_BANDS = ((), ("2", "1", "0"), ("0",))  # to people: the first that a file has


class Fluxes(NamedTuple):
    """What a square holds, in the image's unit; see ``PERCENTILES``."""

    widespread: float
    """Exceeded by a tenth of the pixels: if that is white, a galaxy has no form."""

    centre: float
    """Exceeded by the galaxy's centre."""

    peak: float


def stretch_trouble(files: Sequence[ImageFile], rule: DecodeRule) -> str | None:
    """Say what is wrong with a stretch for FITS images, if most of them show it.

    Args:
        files: image files of a catalog; those that are no readable FITS do not count.
        rule: the bands, the crop, the stretch and Q.

    Returns:
        What the images become, and the remedy; None where nothing is wrong.
    """
    found = [fluxes for file in files if (fluxes := _fluxes(file, rule)) is not None]
    white, darkest = _flux_of(WHITE, rule), _flux_of(MIN_PEAK, rule)
    num_white = sum(fluxes.widespread > white for fluxes in found)
    num_black = sum(fluxes.peak < darkest for fluxes in found)
    number, colour = max((num_white, "white"), (num_black, "black"))
    if 2 * number <= len(found):
        return None
    return (
        f"{number} of the first {len(found)} FITS images become {colour} pictures with "
        f"--fits-stretch {rule.fits_stretch:g}: their fluxes are in another unit, or "
        f"the sky's is not subtracted{_remedy(found, rule)}"
    )


def rule_for_people(file: ImageFile, image_size: int) -> DecodeRule:
    """Choose bands and stretch by an image itself, so that a person sees its galaxy.

    Args:
        file: any image file; only FITS asks for a choice.
        image_size: side of the picture (px).

    Returns:
        A rule for the whole image. FITS cubes without three bands show their first
        three, or the first alone.
    """
    for bands in SHOWN_BANDS:
        rule = DecodeRule(image_size, fits_bands=bands)
        fluxes = _fluxes(file, rule)
        if fluxes is not None:
            stretch = _suitable_stretch([fluxes], rule)
            return rule.with_fits(None, stretch, None)
    return DecodeRule(image_size)


def _fluxes(file: ImageFile, rule: DecodeRule) -> Fluxes | None:
    """Look at the mean of the bands in the square that a network sees."""
    if isinstance(file, ImageDecodeError) or not is_fits(file):
        return None
    try:
        with warnings.catch_warnings(action="ignore"):  # as in decoding
            planes = read_planes(file, rule.fits_bands)
    except ImageDecodeError:
        return None
    height, width = planes[0].shape
    side = max(1, round(min(height, width) * rule.crop_fraction))
    top, left = (height - side) // 2, (width - side) // 2
    square = [plane[top : top + side, left : left + side] for plane in planes]
    with np.errstate(all="ignore"):  # infinite fluxes
        flux = np.mean(np.stack(square), axis=0, dtype=np.float64)
    flux = np.asarray(flux)[np.isfinite(flux)]
    if not flux.size:
        return None
    return Fluxes(*(float(np.percentile(flux, share)) for share in PERCENTILES))


def _flux_of(brightness: float, rule: DecodeRule) -> float:
    """Invert astropy's stretch: the flux that has a brightness, 0 to ``WHITE``."""
    q = min(max(rule.fits_q, MIN_Q), MAX_Q)
    slope = LINEAR_SHARE / math.asinh(LINEAR_SHARE * q)
    return rule.fits_stretch / q * math.sinh(brightness / slope)


def _remedy(found: Sequence[Fluxes], rule: DecodeRule) -> str:
    stretch = _suitable_stretch(found, rule)
    if stretch is None:
        return ""
    rounded = float(f"{stretch:.2g}")
    return f"; --fits-stretch {rounded:g} shows their centres as light grey"


def _suitable_stretch(found: Sequence[Fluxes], rule: DecodeRule) -> float | None:
    """Give the stretch that shows galaxies well; None if their centres are negative."""
    centre = float(np.median([fluxes.centre for fluxes in found]))
    stretch = rule.fits_stretch * centre / _flux_of(GOOD_CENTRE, rule)
    return stretch if is_positive(stretch) else None
