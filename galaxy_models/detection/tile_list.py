"""The tiles of all images of a table, numbered through.

Tile 0 is the first of the first image. An image whose size cannot be found out has one
tile, whose row says why. This module knows images' headers; it knows no pixels.
"""

import hashlib
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.detection.tiles import Grid
from galaxy_models.errors import ImageDecodeError
from galaxy_models.images.files import ImageSource
from galaxy_models.images.wide import wide_image_shape
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.columns import image_sources

NUM_READERS = 16  # threads; a store takes milliseconds to answer
UNKNOWN = (0, 0)  # rows and columns of an image that has none


@dataclass(frozen=True)
class TileList:
    """The sizes of the images, and so their tiles."""

    shapes: NDArray[np.int32]
    """Shape (images, 2): rows and columns; 0 where they are unknown."""

    core_px: int

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """First tile of each image, and the number of all."""
        per_side = -(-self.shapes.astype(np.int64) // self.core_px)
        counts = np.maximum(per_side.prod(axis=1), 1)
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    @property
    def num_tiles(self) -> int:
        """Tiles of all images."""
        return int(self._starts[-1])

    @property
    def num_pixels(self) -> int:
        """Pixels of all images."""
        return int(self.shapes.astype(np.int64).prod(axis=1).sum())

    @property
    def fingerprint(self) -> str:
        """Names the sizes, in their order."""
        shapes = self.shapes.astype("<i4").tobytes()
        return hashlib.blake2b(shapes, digest_size=8).hexdigest()

    def place(self, tile: int) -> tuple[int, int]:
        """Find the image that a tile belongs to, and the tile's number there."""
        image = int(np.searchsorted(self._starts, tile, "right")) - 1
        return image, tile - int(self._starts[image])

    def grid(self, image: int) -> Grid:
        """How an image is cut."""
        height, width = map(int, self.shapes[image])
        return Grid(height, width, self.core_px)


def list_tiles(catalog: Catalog, rule: DecodeRule, core_px: int) -> TileList:
    """Read the header of every image.

    Args:
        catalog: a row for each image.
        rule: the bands of FITS images.
        core_px: side of a tile's core.

    Raises:
        CatalogError: the table cannot be read.
        StorageError: an object store does not answer.
    """
    look = partial(_shape, catalog=catalog, rule=rule)
    shapes: list[tuple[int, int]] = []
    # Each header's reader suppresses warnings, which no two threads can do at once.
    with warnings.catch_warnings(), ThreadPoolExecutor(NUM_READERS) as readers:
        warnings.simplefilter("ignore")
        for batch in catalog.table.read_batches([catalog.image_column]):
            shapes += readers.map(look, _sources(batch))
    return TileList(np.asarray(shapes, np.int32).reshape(-1, 2), core_px)


def _sources(batch: pa.RecordBatch) -> Sequence[ImageSource]:
    return image_sources(pa.chunked_array([batch.column(0)]))


def _shape(source: ImageSource, catalog: Catalog, rule: DecodeRule) -> tuple[int, int]:
    try:
        return wide_image_shape(
            source, catalog.image_root, rule, catalog.allowed_prefixes
        )
    except ImageDecodeError:  # its tile's row will say so
        return UNKNOWN
