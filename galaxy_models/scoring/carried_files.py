"""Writes the rows of an earlier scoring that are carried over into files of their own.

    part-000000.parquet  rows carried over; the file of then, where it is unchanged
    part-000001.parquet  …
    part-000002.parquet  rows that are predicted now

Runs on the driver. Its memory holds the catalog's ``--keep`` columns.
"""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.chunks.ledger import file_uri, finished_uris, write_file
from galaxy_models.scoring.previous import Previous
from galaxy_models.scoring.request import Request
from galaxy_models.tables.formats.numbered_rows import RowReader
from galaxy_models.tables.formats.table import unreadable
from galaxy_models.tables.id_index import NOT_FOUND

logger = logging.getLogger(__name__)

NUM_WRITERS = 4  # threads; each holds a file


class CarriedFiles:
    """Files of rows that are carried over.

    Args:
        request: with its ``previous`` predictions.
        catalog_rows: int64, shape (earlier rows,): the catalog's row of each, or
            ``NOT_FOUND``.
        is_carried: bool, of the same shape.
    """

    def __init__(
        self,
        request: Request,
        previous: Previous,
        catalog_rows: NDArray[np.int64],
        is_carried: NDArray[np.bool_],
    ) -> None:
        self._request = request
        self._previous = previous
        self._catalog_rows = catalog_rows
        self._is_carried = is_carried
        self._ends = np.cumsum(previous.rows.file_sizes)
        counts = [int(is_carried[self._range(f)].sum()) for f in range(len(self._ends))]
        self._groups = group_files(counts, request.config.rows_per_file)
        self._kept = _kept_columns(request) if request.keep else pa.table({})

    @property
    def num_files(self) -> int:
        """How many there will be."""
        return len(self._groups)

    def write(self, output: str, metadata: Mapping[bytes, bytes]) -> None:
        """Write those that are not there yet, each whole.

        Args:
            output: URI of the predictions' folder.
            metadata: of files that are written anew, as in ``Ledger.finish_file``.

        Raises:
            StorageError: a disk or store does not take them.
            CatalogError: the earlier files cannot be read.
        """
        there = finished_uris(output)
        uris = [file_uri(output, place) for place in range(self.num_files)]
        todo = [
            (uri, files)
            for uri, files in zip(uris, self._groups, strict=True)
            if uri not in there
        ]
        with ThreadPoolExecutor(NUM_WRITERS) as writers:
            copied = list(
                writers.map(lambda it: self._write_file(it[0], it[1], metadata), todo)
            )
        logger.info(
            "carried over: %d files copied as they are, %d written anew",
            sum(copied),
            len(copied) - sum(copied),
        )

    def _write_file(
        self, uri: str, files: Sequence[int], metadata: Mapping[bytes, bytes]
    ) -> bool:
        """Write a file of the carried rows of some earlier ones.

        Returns:
            Whether it is a copy of the earlier one.
        """
        if len(files) == 1 and self._is_unchanged(files[0]):
            self._copy(files[0], uri)
            return True
        rows = pa.concat_tables([self._carried_rows(file) for file in files])
        write_file(uri, rows, metadata)
        return False

    def _copy(self, file: int, uri: str) -> None:
        source = self._previous.rows.table.uris[file]
        try:
            storage.copy_file(source, uri)
        except OSError as error:
            raise unreadable(source, error) from error

    def _is_unchanged(self, file: int) -> bool:
        """Whether all rows are carried over, with the kept columns that they had."""
        if not self._is_carried[self._range(file)].all():
            return False
        earlier = self._read(file, self._request.keep) if self._request.keep else None
        return earlier is None or bool(self._kept_now(file, earlier).equals(earlier))

    def _carried_rows(self, file: int) -> pa.Table:
        """Read a file's carried rows, with the catalog's present kept columns."""
        schema = self._request.schema
        rows = self._read(file, schema.names)
        if self._request.keep:
            kept = self._kept_now(file, rows.select(self._request.keep))
            for name in self._request.keep:
                rows = rows.set_column(rows.column_names.index(name), name, kept[name])
        return rows.filter(pa.array(self._is_carried[self._range(file)])).cast(schema)

    def _kept_now(self, file: int, earlier: pa.Table) -> pa.Table:
        """Give the catalog's values, and the earlier ones of rows that it has not."""
        numbers = self._catalog_rows[self._range(file)]
        is_there = numbers != NOT_FOUND
        parts = self._kept.take(numbers[is_there]), earlier.filter(pa.array(~is_there))
        fields = map(self._request.schema.field, self._request.keep)
        schema = pa.schema(list(fields))  # either may differ from it, in type or nulls
        values = pa.concat_tables([part.cast(schema) for part in parts])
        return values.take(np.argsort(np.argsort(~is_there, kind="stable")))

    def _read(self, file: int, columns: Sequence[str]) -> pa.Table:
        rows = self._range(file)
        return RowReader(self._previous.rows, columns).read(rows.start, rows.stop)

    def _range(self, file: int) -> slice:
        """Rows of an earlier file."""
        stop = int(self._ends[file])
        return slice(stop - self._previous.rows.file_sizes[file], stop)


def group_files(num_rows: Sequence[int], rows_per_file: int) -> list[list[int]]:
    """Put small files together, so that those of many small runs do not add up.

    Args:
        num_rows: carried rows of each earlier file, in order.
        rows_per_file: that a file may have, unless it had more.

    Returns:
        For each file to be written the earlier ones whose rows it gets.
    """
    groups: list[list[int]] = []
    size = 0
    for file, count in enumerate(num_rows):
        if not count:
            continue
        if groups and size + count <= rows_per_file:
            groups[-1].append(file)
            size += count
        else:
            groups.append([file])
            size = count
    return groups


def _kept_columns(request: Request) -> pa.Table:
    """Read the catalog's columns that ride along."""
    table = request.catalog.table
    schema = pa.schema([table.schema.field(name) for name in request.keep])
    batches = list(table.read_batches(request.keep))
    return pa.Table.from_batches(batches, schema).combine_chunks()
