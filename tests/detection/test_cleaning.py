"""Wings of a larger patch are no sources, whichever tile it is seen in."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from galaxy_models.detection.cleaning import REACH_PX, wing_pixels
from galaxy_models.detection.extraction import FITS_THRESHOLD, extract
from galaxy_models.detection.tiles import Grid

CORE_PX = 256
HEIGHT, WIDTH, NUM_SPOTS = 256, 768, 150
BRIGHT_RADIUS = 10
SPOT_PX = 3


def is_dropped(distance: int, brightness: float, length: int = 0) -> bool:
    """Whether a spot is taken for wings, so far from the middle of a bright patch.

    Args:
        distance: between the middles (px).
        brightness: of the spot, in thresholds.
        length: from the middle to both ends of a line across the patch (px).
    """
    middle, spot = 300, 300 + distance
    rows, columns = np.mgrid[:600, :600]
    segments = np.zeros((600, 600), np.int32)
    segments[np.hypot(rows - middle, columns - middle) <= BRIGHT_RADIUS] = 1
    segments[middle - length : middle + length, middle] = 1
    segments[middle : middle + SPOT_PX, spot : spot + SPOT_PX] = 2
    peaks = np.array([[middle, middle], [middle, spot]])
    wings = wing_pixels(segments, peaks, np.array([900.0, brightness]), 1.0)
    assert not wings[segments != 2].any()
    return bool(wings[segments == 2].all())


def test_a_faint_spot_near_a_larger_patch_is_its_wings() -> None:
    assert is_dropped(distance=20, brightness=1.3)
    assert not is_dropped(distance=20, brightness=2.0)
    assert not is_dropped(distance=40, brightness=1.3)


def test_a_patch_that_another_tile_may_cut_has_no_wings() -> None:
    assert is_dropped(distance=20, brightness=1.1, length=REACH_PX - 5)
    assert not is_dropped(distance=20, brightness=1.1, length=REACH_PX + 5)


@pytest.fixture(scope="module")
def plane() -> NDArray[np.float32]:
    """A bright source that tiles cut among many faint ones, on noise."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    gap = np.hypot(rows - HEIGHT / 2, columns - WIDTH / 2)
    spots = np.zeros((HEIGHT, WIDTH))
    spots[rng.integers(HEIGHT, size=NUM_SPOTS), rng.integers(WIDTH, size=NUM_SPOTS)] = 1
    light = 3000 * np.exp(-((gap / 50) ** 2)) + 40 * gaussian_filter(spots, 1.2)
    return np.asarray(light + rng.normal(0, 1, light.shape), np.float32)


def test_tiles_keep_the_sources_that_the_whole_keeps(
    plane: NDArray[np.float32],
) -> None:
    whole = extract(plane, 1, FITS_THRESHOLD)
    tiled = []
    grid = Grid(HEIGHT, WIDTH, CORE_PX)
    for number in range(grid.num_tiles):
        core, part = grid.tile(number)
        found = extract(plane[part.rows, part.columns], 1, FITS_THRESHOLD)
        peaks = found.parents.peaks + (part.top, part.left)
        rows, columns = peaks.T
        is_own = (rows >= core.top) & (rows < core.bottom)
        is_own &= (columns >= core.left) & (columns < core.right)
        tiled += peaks[is_own].tolist()
    assert len(tiled) >= 80
    assert sorted(tiled) == sorted(whole.parents.peaks.tolist())
