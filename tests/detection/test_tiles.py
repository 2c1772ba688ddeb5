"""Every pixel is in one core; halos begin where the background's meshes do."""

import numpy as np
import pytest

from galaxy_models.detection.tiles import HALO_PX, MESH_PX, Grid


@pytest.mark.parametrize("size", [(1, 1), (128, 300), (700, 513), (2048, 2049)])
def test_every_pixel_is_in_exactly_one_core(size: tuple[int, int]) -> None:
    grid = Grid(*size, core_px=256)
    counts = np.zeros(size, int)
    for index in range(grid.num_tiles):
        core = grid.tile(index).core
        counts[core.rows, core.columns] += 1
    assert (counts == 1).all()


def test_a_halo_reaches_as_far_as_the_image_and_keeps_to_the_meshes() -> None:
    grid = Grid(1000, 2000, core_px=512)
    assert grid.num_tiles == 8
    first, last = grid.tile(0).whole, grid.tile(7).whole
    assert first == (0, 512 + HALO_PX, 0, 512 + HALO_PX)
    assert last == (512 - HALO_PX, 1000, 1536 - HALO_PX, 2000)
    for index in range(grid.num_tiles):
        whole = grid.tile(index).whole
        assert whole.top % MESH_PX == whole.left % MESH_PX == 0
