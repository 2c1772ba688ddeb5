"""A stretch that makes FITS images white or black is noticed; so is one that suits."""

import re

import numpy as np
import pytest
from image_files import encoded, fits_file, galaxy

from galaxy_models.errors import ImageDecodeError
from galaxy_models.images.decode import DecodeRule, decode_image
from galaxy_models.images.files import ImageFile
from galaxy_models.images.fits_brightness import rule_for_people, stretch_trouble

RULE = DecodeRule(32, crop_fraction=0.55)


def cutout(unit: float = 1.0, sky: float = 0.0) -> bytes:
    """A galaxy that RULE shows well in fluxes of unit 1: its centre is light."""
    y, x = np.mgrid[0:64, 0:64] - 31.5
    flux = 8 * np.exp(-np.hypot(x, y / 0.7) / 4)
    flux += np.random.default_rng(1).normal(0, 0.02, flux.shape)
    return fits_file((flux * unit + sky).astype(np.float32))


def cube(num_bands: int) -> bytes:
    """Even bands, each brighter than the one before it."""
    fluxes = np.arange(1, num_bands + 1, dtype=np.float32)
    return fits_file(np.tile(fluxes[:, None, None], (1, 8, 8)))


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


@pytest.mark.parametrize("q", [1e-320, 0.01, 30.0])
def test_any_softening_has_a_stretch_that_suits(q: float) -> None:
    rule = RULE.with_fits(None, 1e-20, q)
    trouble = stretch_trouble([cutout()], rule)
    assert trouble is not None and "white" in trouble
    (stretch,) = re.findall(r"--fits-stretch (\S+) shows", trouble)
    picture = decode_image(cutout(), rule.with_fits(None, float(stretch), None))
    assert 120 < np.percentile(picture, 99) < 200


def test_the_strongest_softening_shows_any_unit() -> None:
    assert stretch_trouble([cutout(1e4)], RULE.with_fits(None, None, 1e300)) is None


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


@pytest.mark.parametrize("unit", [1e-9, 1.0, 3e4])
def test_people_see_a_galaxy_in_any_unit(unit: float) -> None:
    picture = decode_image(cutout(unit), rule_for_people(cutout(unit), 32))
    assert 120 < np.percentile(picture, 99) < 200 and np.median(picture) < 60


def test_people_see_the_first_three_bands_of_a_cube_of_many() -> None:
    rule = rule_for_people(cube(5), 8)
    assert rule.fits_bands == ("2", "1", "0")
    red, green, blue = decode_image(cube(5), rule)[4, 4].tolist()
    assert red > green > blue > 0


def test_people_see_the_first_band_of_two_in_grey() -> None:
    rule = rule_for_people(cube(2), 8)
    assert rule.fits_bands == ("0",)
    red, green, blue = decode_image(cube(2), rule)[4, 4].tolist()
    assert red == green == blue > 0


def test_people_see_pictures_as_they_are() -> None:
    assert rule_for_people(encoded(galaxy(), "JPEG"), 32) == DecodeRule(32)
    assert rule_for_people(b"SIMPLE", 32) == DecodeRule(32)
    assert rule_for_people(cutout(sky=-100), 32) == DecodeRule(32)


def test_a_few_dark_images_say_nothing_of_the_others() -> None:
    assert stretch_trouble([cutout(1e-9), cutout(), cutout()], RULE) is None
