"""The background of a tile is that of the whole image, and of known pixels only."""

import numpy as np
import pytest
from numpy.typing import NDArray

from galaxy_models.detection.background import background_of
from galaxy_models.detection.tiles import Grid

SHAPE = (1000, 1300)  # the last cells are narrower than the others
RMS = 5.0


@pytest.fixture(scope="module")
def light() -> NDArray[np.float32]:
    """A sky that grows brighter to the right, with noise and some bright squares."""
    rng = np.random.default_rng(5)
    pixels = rng.normal(100, RMS, SHAPE) + np.linspace(0, 30, SHAPE[1])
    for y, x in rng.integers(0, 900, (40, 2)):
        pixels[y : y + 12, x : x + 12] += 200
    return pixels.astype(np.float32)


def all_known(light: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.zeros(light.shape, bool)


def test_a_pixel_has_the_same_background_in_a_tile_as_in_the_whole(
    light: NDArray[np.float32],
) -> None:
    whole = background_of(light, all_known(light))
    grid = Grid(*SHAPE, core_px=256)
    for index in range(grid.num_tiles):
        core, box = grid.tile(index)
        pixels = light[box.rows, box.columns]
        of_tile = background_of(pixels, all_known(pixels))
        inner = of_tile[core.top - box.top :, core.left - box.left :]
        expected = whole[core.rows, core.columns]
        height, width = expected.shape
        np.testing.assert_array_equal(inner[:height, :width], expected)


def test_sources_do_not_lift_the_background(light: NDArray[np.float32]) -> None:
    sky = 100 + np.linspace(0, 30, SHAPE[1])
    error = background_of(light, all_known(light)) - sky
    assert np.abs(error[:, 192:-192]).max() < RMS / 4


def test_cells_of_which_too_little_is_known_get_their_neighbours_level(
    light: NDArray[np.float32],
) -> None:
    is_unknown = all_known(light)
    is_unknown[:, :700] = True
    filled = np.where(is_unknown, np.float32(1e6), light)
    background = background_of(filled, is_unknown)
    assert background[:, :512] == pytest.approx(120, abs=RMS)


def test_a_tile_with_a_few_known_pixels_has_their_median() -> None:
    is_unknown = np.ones((300, 300), bool)
    is_unknown[:3, :3] = False
    light = np.where(is_unknown, np.float32(0), np.float32(7))
    assert (background_of(light, is_unknown) == 7).all()
