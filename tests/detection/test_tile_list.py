"""Tiles of many images, numbered through."""

import numpy as np

from galaxy_models.detection.tile_list import TileList


def test_every_tile_has_an_image_and_a_number_there() -> None:
    shapes = np.array([[300, 300], [0, 0], [256, 256], [257, 1]], np.int32)
    tiles = TileList(shapes, core_px=256)
    places = [tiles.place(number) for number in range(tiles.num_tiles)]
    assert places == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (2, 0), (3, 0), (3, 1)]
    assert tiles.num_pixels == 90_000 + 65_536 + 257
    assert tiles.grid(3).num_tiles == 2


def test_other_sizes_have_another_name() -> None:
    one, other = (
        TileList(np.array([[side, 300]], np.int32), core_px=256) for side in (300, 301)
    )
    assert one.fingerprint != other.fingerprint
