"""The sky's light behind sources: the same for a pixel, whichever tile it is read in.

Each cell of a mesh gets its level from its own pixels, by SExtractor's estimator; then
the median of 3 × 3 cells, and straight lines between the middles of cells. So a pixel's
background hangs on the cells up to two away, which a tile's halo holds, and on nothing
else. This module knows pixels; it knows neither files nor sources.

Source:
    Bertin & Arnouts 1996, A&AS 117, 393, section 7.1; Barbary 2016, JOSS 1(6), 58
    (sep), whose bicubic spline, unlike these lines, sees all cells of a tile.
"""

import numpy as np
import sep
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from galaxy_models.detection.tiles import MESH_PX

MIN_KNOWN_SHARE = 0.5  # of a cell's pixels; else it has its nearest neighbour's level


def background_of(
    light: NDArray[np.float32], is_unknown: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Find the background of a tile.

    Args:
        light: float32, shape (rows, columns), from a corner of the mesh on; anything
            finite where nothing is known.
        is_unknown: bool, of the same shape; not everywhere.

    Returns:
        float32, of the same shape.
    """
    levels = _levels(light, is_unknown)
    if np.isnan(levels).all():
        levels = np.full_like(levels, np.median(light[~is_unknown]))
    return _between_cells(_smooth(_filled(levels)), light.shape)


def _levels(
    light: NDArray[np.float32], is_unknown: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Level of each cell; NaN where too little is known."""
    height, width = light.shape
    levels = np.full((-(-height // MESH_PX), -(-width // MESH_PX)), np.nan, np.float32)
    for row, column in np.ndindex(levels.shape):
        cell = (
            slice(row * MESH_PX, (row + 1) * MESH_PX),
            slice(column * MESH_PX, (column + 1) * MESH_PX),
        )
        num_unknown = np.count_nonzero(is_unknown[cell])
        if num_unknown <= (1 - MIN_KNOWN_SHARE) * light[cell].size:
            levels[row, column] = _level(light[cell], is_unknown[cell])
    return levels


def _level(light: NDArray[np.float32], is_unknown: NDArray[np.bool_]) -> float:
    """Level of one cell."""
    height, width = light.shape
    pixels, mask = np.ascontiguousarray(light), np.ascontiguousarray(is_unknown)
    return float(sep.Background(pixels, mask=mask, bw=width, bh=height).globalback)


def _filled(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give cells without a level that of their nearest."""
    rows, columns = distance_transform_edt(
        np.isnan(levels), return_distances=False, return_indices=True
    )
    return np.asarray(levels[rows, columns])


def _smooth(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median of each cell and those around it, as far as there are any."""
    padded = np.pad(levels, 1, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    return np.asarray(np.nanmedian(around, axis=(2, 3)), np.float32)


def _between_cells(
    levels: NDArray[np.float32], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Draw straight lines between the middles of cells; level beyond the outermost."""
    (top, bottom, down), (left, right, along) = (
        _neighbours(pixels, cells)
        for pixels, cells in zip(shape, levels.shape, strict=True)
    )
    rows = levels[top] + down[:, None] * (levels[bottom] - levels[top])
    background, steps = rows.take(left, axis=1), rows.take(right, axis=1)
    steps -= background  # in place: a new plane for each sum is 6 % of a FITS tile
    steps *= along
    background += steps
    return background


def _neighbours(
    num_pixels: int, num_cells: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """For each pixel of a side: the cells before and after it, and how far between."""
    places = (np.arange(num_pixels) + 0.5) / MESH_PX - 0.5  # in cells from the first's
    before = np.floor(places).astype(np.int64)
    share = (places - before).astype(np.float32)
    last = num_cells - 1
    return before.clip(0, last), (before + 1).clip(0, last), share
