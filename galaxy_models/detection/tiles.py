"""Tiles of a wide image: a core, and a halo that neighbouring tiles share.

A source belongs to the tile whose core holds its peak pixel, so each is in one tile,
and none is cut by a border that is narrower than the halo. The grid depends on the
image's size only. This module knows neither pixels nor files.
"""

from dataclasses import dataclass
from typing import NamedTuple

MESH_PX = 128  # of the background; tiles begin at whole meshes, so that meshes agree
HALO_PX = 2 * MESH_PX  # two meshes: what the median and the spline of a border see


class Box(NamedTuple):
    """A rectangle of pixels."""

    top: int
    bottom: int
    """The row after the last."""

    left: int
    right: int
    """The column after the last."""

    @property
    def rows(self) -> slice:
        """Its rows."""
        return slice(self.top, self.bottom)

    @property
    def columns(self) -> slice:
        """Its columns."""
        return slice(self.left, self.right)


class Tile(NamedTuple):
    """A part of an image."""

    core: Box
    """Pixels whose sources are this tile's."""

    whole: Box
    """The core and its halo, as far as the image reaches."""


@dataclass(frozen=True)
class Grid:
    """How an image is cut into tiles."""

    height: int
    width: int
    core_px: int
    """Side of a core, a multiple of ``MESH_PX``."""

    @property
    def num_tiles(self) -> int:
        """Tiles of the image, numbered from 0, row by row."""
        return -(-self.height // self.core_px) * self._per_row

    @property
    def _per_row(self) -> int:
        return -(-self.width // self.core_px)

    def tile(self, index: int) -> Tile:
        """Give a tile by its number."""
        row, column = divmod(index, self._per_row)
        top, left = row * self.core_px, column * self.core_px
        core = Box(
            top,
            min(top + self.core_px, self.height),
            left,
            min(left + self.core_px, self.width),
        )
        whole = Box(
            max(0, core.top - HALO_PX),
            min(self.height, core.bottom + HALO_PX),
            max(0, core.left - HALO_PX),
            min(self.width, core.right + HALO_PX),
        )
        return Tile(core, whole)
