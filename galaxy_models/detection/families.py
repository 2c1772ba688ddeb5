"""Which sources of an extraction are a tile's own, and how they are called.

A source is its tile's if its peak pixel lies in the core. What it can be split into
goes with it, wherever the parts' own peaks lie.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galaxy_models.detection.extraction import Extraction, Sources
from galaxy_models.detection.tiles import Tile

SOURCE, PART, TILE = "source", "part", "tile"  # what an id may belong to
ID_BYTES = 8


@dataclass(frozen=True)
class Families:
    """A tile's own sources and their parts, by their numbers in the extraction."""

    parents: NDArray[np.int64]
    num_children: NDArray[np.int64]
    """Of each of them; 0 for those that cannot be split."""

    children: NDArray[np.int64]
    """Of all of them, family by family."""


def own_families(extraction: Extraction, tile: Tile) -> Families:
    """Pick the sources that belong to a tile."""
    parents = np.flatnonzero(_peaks_in_core(extraction.parents, tile))
    parent_of = extraction.parent_of
    counts = np.bincount(
        parent_of[parent_of >= 0], minlength=len(extraction.parents.table)
    )
    counts = np.where(counts > 1, counts, 0)
    is_split = np.zeros(len(counts), bool)
    is_split[parents] = counts[parents] > 0
    children = np.flatnonzero((parent_of >= 0) & is_split[parent_of])
    by_family = np.argsort(parent_of[children], kind="stable")
    return Families(parents, counts[parents], children[by_family])


def _peaks_in_core(sources: Sources, tile: Tile) -> NDArray[np.bool_]:
    y, x = (sources.peaks + (tile.whole.top, tile.whole.left)).T
    core = tile.core
    is_own: NDArray[np.bool_] = (
        (x >= core.left) & (x < core.right) & (y >= core.top) & (y < core.bottom)
    )
    return is_own


def source_id(image: str, level: str, x: int, y: int = 0) -> int:
    """Name a source: 63 bits of a hash, so the same whatever else is in the table.

    Args:
        image: as the table names it.
        level: whether it is a source, a part of one, or a tile.
        x: column of its peak pixel in the image; a tile's number.
        y: row of its peak pixel.
    """
    text = f"{level} {x} {y} {image}"
    digest = hashlib.blake2b(text.encode(), digest_size=ID_BYTES).digest()
    return int.from_bytes(digest, "big") >> 1
