"""Galaxies that are added to a picture: where the truth says, as large, and no sky."""

import numpy as np
import pytest
from numpy.typing import NDArray

from galaxy_models.simulation.injection import CUTOUT_PER_R90, Cutout, inject, shrunk

SKY = np.array([5, 8, 3], np.uint8)
SIDE = 424


def gaussian(sigma: float) -> NDArray[np.uint8]:
    """A round galaxy on a sky, in a cutout of 8.48 × its R90."""
    axis = np.arange(SIDE) - (SIDE - 1) / 2
    profile = 180 * np.exp(-np.add.outer(axis**2, axis**2) / (2 * sigma**2))
    pixels: NDArray[np.uint8] = (
        np.clip(profile[..., None] + SKY, 0, 255).round().astype(np.uint8)
    )
    return pixels


SIGMA = SIDE / CUTOUT_PER_R90 / np.sqrt(2 * np.log(10))  # R90 of a Gaussian
GALAXY = gaussian(SIGMA)


def test_the_light_is_the_galaxys_without_its_sky() -> None:
    light = shrunk(Cutout(GALAXY, "round", 12.0))
    middle = len(light) // 2
    assert light[middle, middle] == pytest.approx(180, abs=3)
    assert np.abs(light[0]).max() == 0
    axis = np.arange(len(light)) - middle
    inside = np.hypot(axis[:, None], axis) < 12
    assert light[inside].sum() / light.sum() == pytest.approx(0.9, abs=0.02)


def test_galaxies_are_added_where_the_truth_says_and_nowhere_else() -> None:
    picture = np.zeros((300, 400, 3), np.uint8)
    cutouts = [Cutout(GALAXY, "round", radius) for radius in (6.0, 9.0, 12.0)]
    result, added = inject(picture, cutouts, np.random.default_rng(1))
    assert [source.r90_px for source in added] == [6.0, 9.0, 12.0]
    rows, columns = np.mgrid[:300, :400]
    nearest = np.min(
        [np.hypot(columns - one.x, rows - one.y) / one.r90_px for one in added], axis=0
    )
    assert result[nearest > 2.8].max() == 0
    for one in added:
        assert result[int(one.y), int(one.x)].min() > 170
        assert one.half_light_radius_px == pytest.approx(
            one.r90_px * np.sqrt(np.log(2) / np.log(10)), abs=0.7
        )
    assert picture.max() == 0


def test_what_finds_no_place_is_left_out() -> None:
    picture = np.zeros((80, 80, 3), np.uint8)
    cutouts = [Cutout(GALAXY, "round", 8.0)] * 5 + [Cutout(GALAXY, "round", 20.0)]
    _, added = inject(picture, cutouts, np.random.default_rng(0))
    assert 1 <= len(added) < 5
    assert {source.r90_px for source in added} == {8.0}


def test_a_blurred_galaxy_keeps_its_light() -> None:
    sharp, soft = (
        shrunk(Cutout(GALAXY, "round", 8.0, blur)).sum() for blur in (0.0, 1.0)
    )
    assert soft == pytest.approx(sharp, rel=0.02)
