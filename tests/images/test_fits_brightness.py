"""A stretch that makes FITS images white or black is noticed; so is one that suits."""

import re

import numpy as np
import pytest
from image_files import encoded, fits_file, galaxy

from galaxy_models.errors import ImageDecodeError
from galaxy_models.images.decode import DecodeRule, decode_image
from galaxy_models.images.files import ImageFile
from galaxy_models.images.fits_brightness import stretch_trouble

RULE = DecodeRule(32, crop_fraction=0.55)


def cutout(unit: float = 1.0, sky: float = 0.0) -> bytes:
    """A galaxy that RULE shows well in fluxes of unit 1: its centre is light."""
    y, x = np.mgrid[0:64, 0:64] - 31.5
    flux = 8 * np.exp(-np.hypot(x, y / 0.7) / 4)
    flux += np.random.default_rng(1).normal(0, 0.02, flux.shape)
    return fits_file((flux * unit + sky).astype(np.float32))


def test_fluxes_that_suit_the_stretch_are_no_trouble() -> None:
    assert 150 < decode_image(cutout(), RULE).max() < 256
    assert stretch_trouble([cutout()] * 3, RULE) is None


@pytest.mark.parametrize(
    ("unit", "colour"), [(1e-9, "black"), (3e4, "white"), (1e30, "white")]
)
def test_fluxes_of_another_unit_are_said_with_a_stretch_that_suits(
    unit: float, colour: str
) -> None:
    trouble = stretch_trouble([cutout(unit)] * 3, RULE)
    assert trouble is not None
    assert f"3 of the first 3 FITS images become {colour} pictures" in trouble
    (stretch,) = re.findall(r"--fits-stretch (\S+) shows", trouble)
    better = RULE.with_fits(None, float(stretch), None)
    assert stretch_trouble([cutout(unit)], better) is None
    assert 120 < np.percentile(decode_image(cutout(unit), better), 99) < 200


def test_a_sky_that_was_not_subtracted_is_said() -> None:
    trouble = stretch_trouble([cutout(sky=1000)], RULE)
    assert trouble is not None and "the sky's is not subtracted" in trouble


def test_fluxes_that_are_all_negative_name_no_stretch() -> None:
    trouble = stretch_trouble([cutout(sky=-100)], RULE)
    assert trouble is not None and trouble.endswith("is not subtracted")


def test_what_is_no_readable_fits_does_not_count() -> None:
    picture = encoded(galaxy(), "JPEG")
    missing = ImageDecodeError("missing", "no file")
    nothing = fits_file(np.full((8, 8), np.nan, np.float32))
    others: list[ImageFile] = [picture, missing, cutout()[:3000], nothing]
    assert stretch_trouble(others, RULE) is None
    assert stretch_trouble([*others, cutout(1e-9)], RULE) is not None


def test_a_few_dark_images_say_nothing_of_the_others() -> None:
    assert stretch_trouble([cutout(1e-9), cutout(), cutout()], RULE) is None
