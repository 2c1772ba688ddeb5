"""A labelled catalog -> decoded examples in Ray's object store, by all hosts.

The store spills to disk, so that a catalog may be larger than memory.
"""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import ray
import ray.data
import ray.exceptions
from ray.data.block import BlockAccessor
from ray.data.datasource.partitioning import Partitioning

from galaxy_models.cluster.job_log import JobLog
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.formats import ParquetTable
from galaxy_models.training.examples import (
    COLUMNS,
    DECODE_BATCH_SIZE,
    Columns,
    Examples,
    LostGalaxiesError,
    check_enough,
    decode_side,
    with_side,
)
from galaxy_models.training.labels import Side
from galaxy_models.training.request import Request

ROWS_PER_BLOCK = 128  # galaxies; 19 MB of decoded pixels at 224 px
MIN_BLOCKS = 4  # so that a small catalog, too, is decoded by several CPUs
# Blocks of a host that is lost are made again while workers wait for them. So workers
# leave as much of their CPUs unbooked: else nothing would ever have room to run there.
DECODE_CPUS = 0.9


class StoredExamples(Examples):
    """Examples whose blocks are references into the store: cheap to pickle."""

    def _piece(self, index: int, start: int, stop: int) -> Columns:
        try:
            block = BlockAccessor.for_block(ray.get(self.blocks[index]))
        except ray.exceptions.RayError as error:
            raise LostGalaxiesError(str(error)) from error
        piece = block.slice(start, stop, copy=False)
        return dict(BlockAccessor.for_block(piece).to_numpy(list(COLUMNS)))


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
        check_enough(examples, side, num_workers)
        return examples

    return decode("training"), decode("validation")


def _blocks_of(dataset: Any) -> StoredExamples:
    """Take the blocks out of a materialized dataset."""
    blocks = [
        (entry.ref, entry.metadata.num_rows)
        for bundle in dataset.iter_internal_ref_bundles()
        for entry in bundle.blocks
        if entry.metadata.num_rows
    ]
    return StoredExamples(tuple(b for b, _ in blocks), tuple(n for _, n in blocks))
