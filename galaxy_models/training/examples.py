"""Rows of a labelled catalog -> decoded examples.

Every image is decoded once, before the first epoch, and kept as blocks of uint8 pixels.
This module knows neither networks nor Ray.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig
from galaxy_models.errors import TrainingError
from galaxy_models.images.decode import read_images
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.columns import image_sources
from galaxy_models.training.labels import Side, label_texts, sides_of
from galaxy_models.training.progress import DecodingLog
from galaxy_models.training.truth import Truth

DECODE_BATCH_SIZE = 64  # galaxies; small enough that every CPU gets some
COLUMNS = ("object_id", "label", "image")

Columns = dict[str, NDArray[Any]]


class LostGalaxiesError(Exception):
    """Galaxies were lost with the host that held them: another try may have them."""


@dataclass(frozen=True)
class Examples:
    """The decoded galaxies of one side of the split, in a fixed order."""

    blocks: tuple[Any, ...]
    """Blocks with the columns that ``decode_side`` gives, or what stands for them."""

    block_sizes: tuple[int, ...]
    """Galaxies in each."""

    @classmethod
    def of(cls, blocks: Iterable[Columns]) -> Self:
        """Keep blocks in this process's memory; empty ones are left out."""
        full = [block for block in blocks if len(block["object_id"])]
        return cls(tuple(full), tuple(len(block["object_id"]) for block in full))

    @property
    def num_galaxies(self) -> int:
        """Galaxies in all blocks."""
        return sum(self.block_sizes)

    def read(self, start: int, stop: int) -> Columns:
        """Copy neighbouring galaxies out.

        Args:
            start: number of the first galaxy.
            stop: number of the galaxy after the last one.

        Returns:
            ``object_id``, ``label`` (int64, or float32 of shape (galaxies, answers))
            and ``image`` (uint8, shape (galaxies, side, side, 3)), of stop - start
            galaxies.

        Raises:
            LostGalaxiesError: they were lost.
        """
        ends = np.cumsum(self.block_sizes)
        parts = []
        for index in range(
            int(np.searchsorted(ends, start, "right")),
            int(np.searchsorted(ends, stop, "left")) + 1,
        ):
            first = int(ends[index]) - self.block_sizes[index]
            last = min(stop, int(ends[index])) - first
            parts.append(self._piece(index, max(start - first, 0), last))
        return {name: np.concatenate([p[name] for p in parts]) for name in COLUMNS}

    def _piece(self, index: int, start: int, stop: int) -> Columns:
        """Give some galaxies of one block."""
        return {name: self.blocks[index][name][start:stop] for name in COLUMNS}

    def batches(self, batch_size: int) -> Iterator[Columns]:
        """Copy all galaxies out, in order; see ``read``."""
        for start in range(0, self.num_galaxies, batch_size):
            yield self.read(start, min(start + batch_size, self.num_galaxies))


def check_enough(examples: Examples, side: Side, num_workers: int) -> None:
    """Refuse to train where some worker would have no galaxy.

    Raises:
        TrainingError: a side has fewer readable galaxies than there are workers.
    """
    if examples.num_galaxies < num_workers:
        raise TrainingError(
            f"{examples.num_galaxies} {side} galaxies could be decoded, fewer than "
            f"the {num_workers} worker(s); the lines above name what failed."
        )


def with_side(
    rows: pa.Table, *, catalog: Catalog, config: TrainConfig, truth: Truth
) -> pa.Table:
    """Add the side of the split, so that no later step hashes ids.

    Args:
        rows: id, image and label or votes of some galaxies, by the catalog's names.
        catalog: those names.
        config: the split.
        truth: what is known of all galaxies.

    Returns:
        Columns ``object_id``, ``image``, ``label`` and ``side``.
    """
    object_ids = rows[catalog.id_column]
    return pa.table(
        {
            "object_id": object_ids,
            "image": rows[catalog.image_column],
            "label": truth.label_column(rows, catalog, config),
            "side": pa.array(sides_of(object_ids, config)),
        }
    )


def decode_side(
    rows: pa.Table,
    *,
    side: Side,
    labels: tuple[str, ...],
    catalog: Catalog,
    config: TrainConfig,
    log: DecodingLog,
) -> Columns:
    """Keep one side of the split and decode its images.

    Args:
        rows: what ``with_side`` gives.
        side: which one.
        labels: names of classes, then of groups of them; none where the column
            ``label`` holds lists of numbers.
        catalog: where images lie.
        config: the image size, the crop, and the margin of training images.
        log: names galaxies that cannot be decoded, which are left out, and counts all.

    Returns:
        ``object_id``, ``label`` (int64, its index; or float32, shape (galaxies,
        numbers)) and ``image`` (uint8, shape (galaxies, side, side, 3); the side is
        ``config.decoded_size`` of training galaxies, ``config.image_size`` of
        validation galaxies).
    """
    rows = rows.filter(pc.field("side") == side)
    sources = image_sources(rows["image"])
    rule = config.training_rule if side == "training" else config.decode_rule
    images, errors = read_images(
        sources, catalog.image_root, rule, catalog.allowed_prefixes
    )
    is_good = np.asarray([error is None for error in errors], bool)
    object_ids = rows["object_id"].to_pylist()
    for object_id, error in zip(object_ids, errors, strict=True):
        if error is not None:
            log.say(f"left out galaxy {object_id}: {error}")
    log.count(rows=len(errors), failed=int(np.sum(~is_good)))
    log.flush()  # each task unpickles a handle of its own
    label_column = catalog.column(config.label_column)
    return {
        "object_id": np.asarray(object_ids, _id_type(catalog))[is_good],
        "label": _encoded(rows["label"], labels, label_column, catalog.uri)[is_good],
        "image": images[is_good],
    }


def _encoded(
    column: pa.ChunkedArray, labels: tuple[str, ...], name: str, uri: str
) -> NDArray[Any]:
    """Turn labels into their numbers, and lists of numbers into a table of them."""
    if pa.types.is_fixed_size_list(column.type):
        numbers = column.combine_chunks().flatten().to_numpy()
        return np.asarray(numbers).reshape(len(column), column.type.list_size)
    index = {name: i for i, name in enumerate(labels)}
    texts = label_texts(column, name, uri)
    return np.asarray([index[text] for text in texts], np.int64)


def _id_type(catalog: Catalog) -> type:
    return np.int64 if pa.types.is_integer(catalog.id_type) else object
