"""Rows sorted by their place on the sky, in files that are merged by partition.

A run is some consecutive rows of the predictions, sorted; within it the rows of one
partition are one piece, which can be read alone. So memory holds a run while it is
written, and a partition while its pieces are put together, whatever the number of rows.
A run is written whole under its number: one that is there need not be written again.

This module knows tables with an index; it does not know what the rows are.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from galaxy_models import storage
from galaxy_models.tables.hats.pixels import INDEX_COLUMN, Partition

PIECES_KEY = b"galaxy_batch.partitions"  # of each piece of a run, in their order
COMPRESSION = "zstd"


@dataclass(frozen=True)
class SortedRuns:
    """Runs, and the partitions that they are cut at."""

    folder: str
    """URI of the folder that they lie in."""

    num_runs: int
    partitions: Sequence[Partition]
    """In the order of the index; every row is in one of them."""

    def missing(self) -> list[int]:
        """Runs that are not there yet."""
        names = set(storage.list_names(self.folder))
        return [run for run in range(self.num_runs) if _name(run) not in names]

    def write(self, run: int, rows: pa.Table) -> None:
        """Sort rows, cut them at the partitions and write them.

        Args:
            run: its number.
            rows: with ``INDEX_COLUMN``.
        """
        order = np.argsort(rows[INDEX_COLUMN].to_numpy(), kind="stable")
        rows = rows.unify_dictionaries().take(order).combine_chunks()
        starts = [partition.start for partition in self.partitions]
        bounds = np.searchsorted(rows[INDEX_COLUMN].to_numpy(), starts)
        sizes = np.diff(bounds, append=len(rows))
        pieces = [
            (int(number), batch)
            for number in np.flatnonzero(sizes)
            for batch in rows.slice(bounds[number], sizes[number]).to_batches()
        ]
        numbers = json.dumps([number for number, _ in pieces])
        schema = rows.schema.with_metadata({PIECES_KEY: numbers})
        options = pa.ipc.IpcWriteOptions(compression=COMPRESSION)
        stream = pa.BufferOutputStream()
        with pa.ipc.new_file(stream, schema, options=options) as writer:
            for _, batch in pieces:
                writer.write_batch(batch)
        storage.write_bytes(self._uri(run), stream.getvalue())

    def read(self, number: int) -> pa.Table:
        """Read the rows of a partition, sorted; equal ones in the order of the runs.

        Args:
            number: of the partition.
        """
        pieces: list[pa.RecordBatch] = []
        for run, places in self._places[number].items():
            with self._open(run) as file:
                reader = pa.ipc.open_file(file)
                pieces += map(reader.get_batch, places)
        rows = pa.Table.from_batches(pieces).replace_schema_metadata(None)
        order = np.argsort(rows[INDEX_COLUMN].to_numpy(), kind="stable")
        return rows.unify_dictionaries().take(order)

    @cached_property
    def _places(self) -> list[dict[int, list[int]]]:
        """Where the pieces of each partition are: in which runs, at which places."""
        places: list[dict[int, list[int]]] = [
            defaultdict(list) for _ in self.partitions
        ]
        for run in range(self.num_runs):
            with self._open(run) as file:
                metadata = pa.ipc.open_file(file).schema.metadata
            for place, number in enumerate(json.loads(metadata[PIECES_KEY])):
                places[number][run].append(place)
        return places

    def _open(self, run: int) -> pa.NativeFile:
        filesystem, path = storage.filesystem_and_path(self._uri(run))
        return filesystem.open_input_file(path)

    def _uri(self, run: int) -> str:
        return storage.join(self.folder, _name(run))


def _name(run: int) -> str:
    return f"{run:06d}.arrow"
