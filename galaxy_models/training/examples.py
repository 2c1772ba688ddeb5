"""A labelled catalog -> decoded examples, in Ray's object store.

Every image is decoded once, before the first epoch, and stays there as blocks of
uint8 pixels (the store spills to disk). This module knows neither networks nor
TensorFlow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray
import ray.data
from numpy.typing import NDArray
from ray.data.block import BlockAccessor
from ray.data.datasource.partitioning import Partitioning

from galaxy_models.cluster.job_log import JobLog
from galaxy_models.config import TrainConfig
from galaxy_models.errors import TrainingError
from galaxy_models.images.decode import read_images
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.columns import image_sources
from galaxy_models.tables.formats import ParquetTable
from galaxy_models.training.labels import Side, label_texts, sides_of
from galaxy_models.training.request import Request
from galaxy_models.training.truth import Truth

DECODE_BATCH_SIZE = 64  # galaxies; small enough that every CPU gets some
ROWS_PER_BLOCK = 128  # galaxies; 19 MB of decoded pixels at 224 px
MIN_BLOCKS = 4  # so that a small catalog, too, is decoded by several CPUs
# Blocks of a host that is lost are made again while workers wait for them. So workers
# leave as much of their CPUs unbooked: else nothing would ever have room to run there.
DECODE_CPUS = 0.9
COLUMNS = ("object_id", "label", "image")

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Examples:
    """The decoded galaxies of one side of the split, in a fixed order.

    Cheap to pickle: it holds references to blocks, not their pixels.
    """

    blocks: tuple[Any, ...]
    """References to blocks with the columns that ``decode_side`` gives."""

    block_sizes: tuple[int, ...]
    """Galaxies in each."""

    @property
    def num_galaxies(self) -> int:
        """Galaxies in all blocks."""
        return sum(self.block_sizes)

    def read(self, start: int, stop: int) -> Columns:
        """Copy neighbouring galaxies out of the store.

        Args:
            start: number of the first galaxy.
            stop: number of the galaxy after the last one.

        Returns:
            ``object_id``, ``label`` (int64, or float32 of shape (galaxies, answers))
            and ``image`` (uint8, shape (galaxies, side, side, 3)), of stop - start
            galaxies.
        """
        ends = np.cumsum(self.block_sizes)
        parts = []
        for index in range(
            int(np.searchsorted(ends, start, "right")),
            int(np.searchsorted(ends, stop, "left")) + 1,
        ):
            first = int(ends[index]) - self.block_sizes[index]
            block = BlockAccessor.for_block(ray.get(self.blocks[index]))
            piece = block.slice(
                max(start - first, 0), min(stop, int(ends[index])) - first, copy=False
            )
            parts.append(BlockAccessor.for_block(piece).to_numpy(list(COLUMNS)))
        return {name: np.concatenate([p[name] for p in parts]) for name in COLUMNS}

    def batches(self, batch_size: int) -> Iterator[Columns]:
        """Copy all galaxies out, in order; see ``read``."""
        for start in range(0, self.num_galaxies, batch_size):
            yield self.read(start, min(start + batch_size, self.num_galaxies))


def stream_rows(
    catalog: Catalog, columns: Sequence[str], num_blocks: int, **options: Any
) -> Any:
    """Read columns of a catalog as a Ray dataset.

    Args:
        catalog: a checked catalog.
        columns: the catalog's own names; one named twice is read once.
        num_blocks: into how many blocks the rows are divided, about.
        options: further arguments of ``ray.data.read_parquet``.
    """
    table = catalog.table
    integers = (name for name in table.folder_columns if _is_integer(table, name))
    return ray.data.read_parquet(
        table.uris,
        columns=list(dict.fromkeys(columns)),
        schema=table.schema,
        partitioning=Partitioning(
            "hive", base_dir=table.base_uri, field_types=dict.fromkeys(integers, int)
        ),
        file_extensions=None,
        override_num_blocks=num_blocks,
        **options,
    )


def _is_integer(table: ParquetTable, column: str) -> bool:
    return bool(pa.types.is_integer(table.schema.field(column).type))


def decode_examples(
    request: Request, num_workers: int, log: JobLog
) -> tuple[Examples, Examples]:
    """Decode every galaxy once.

    Rows are shuffled before they are decoded, while they are small: later only
    neighbours are read together, and a catalog may be sorted by class.

    Args:
        request: the catalog, its labels and its split.
        num_workers: training processes; each needs a galaxy of each side.
        log: names galaxies that cannot be decoded, which are left out, and counts all.

    Returns:
        The galaxies to train on, and those to validate with.

    Raises:
        TrainingError: a side has fewer readable galaxies than there are workers.
    """
    catalog, config, truth = request.catalog, request.config, request.truth
    known = truth.source_columns(catalog, config)
    rows = (
        stream_rows(
            catalog,
            columns=[catalog.id_column, catalog.image_column, *known],
            num_blocks=max(MIN_BLOCKS, catalog.num_rows // ROWS_PER_BLOCK),
            num_cpus=DECODE_CPUS,
        )
        .map_batches(
            with_side,
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=DECODE_CPUS,
            fn_kwargs={"catalog": catalog, "config": config, "truth": truth},
        )
        .random_shuffle(seed=config.seed, num_cpus=DECODE_CPUS)
        .materialize()
    )

    def decode(side: Side) -> Examples:
        decoded = rows.map_batches(
            decode_side,
            batch_size=DECODE_BATCH_SIZE,
            batch_format="pyarrow",
            num_cpus=DECODE_CPUS,
            fn_kwargs={
                "side": side,
                "labels": truth.names,
                "catalog": catalog,
                "config": config,
                "log": log,
            },
        )
        examples = _blocks_of(decoded.materialize())
        if examples.num_galaxies < num_workers:
            raise TrainingError(
                f"{examples.num_galaxies} {side} galaxies could be decoded, fewer than "
                f"the {num_workers} worker(s); the lines above name what failed."
            )
        return examples

    return decode("training"), decode("validation")


def with_side(
    rows: pa.Table, *, catalog: Catalog, config: TrainConfig, truth: Truth
) -> pa.Table:
    """Ray step: add the side of the split, so that no later step hashes ids.

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


def _blocks_of(dataset: Any) -> Examples:
    """Take the blocks out of a materialized dataset."""
    blocks = [
        (entry.ref, entry.metadata.num_rows)
        for bundle in dataset.iter_internal_ref_bundles()
        for entry in bundle.blocks
        if entry.metadata.num_rows
    ]
    return Examples(tuple(b for b, _ in blocks), tuple(n for _, n in blocks))


def decode_side(
    rows: pa.Table,
    *,
    side: Side,
    labels: tuple[str, ...],
    catalog: Catalog,
    config: TrainConfig,
    log: JobLog,
) -> dict[str, Any]:
    """Ray step: keep one side of the split and decode its images.

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
