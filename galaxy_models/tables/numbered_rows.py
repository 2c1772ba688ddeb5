"""The rows of a Parquet table by their number, wherever they lie.

Row 0 is the first of the first file. A run of rows is read without what is before it,
but for its row group: Parquet gives nothing less.
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from galaxy_models import storage
from galaxy_models.tables.parquet import ParquetTable
from galaxy_models.tables.table import unreadable

NUM_FOOTER_READERS = 16  # threads; a store takes milliseconds to answer
MAX_KEPT_BYTES = 64 * 2**20  # of a row group that the next rows may be read from
ROWS_AT_A_TIME = 256  # of a row group that is not kept: it may hold images


@dataclass(frozen=True)
class NumberedRows:
    """How many rows each of a table's files has, and what its files were."""

    table: ParquetTable
    file_sizes: tuple[int, ...]
    """Rows of each file."""

    content_hash: str
    """Of the files' names and footers: of their columns, sizes and statistics."""


def number_rows(table: ParquetTable) -> NumberedRows:
    """Read the footer of every file.

    Raises:
        CatalogError: a file is no Parquet file.
        StorageError: an object store does not answer.
    """
    digest = hashlib.blake2b(digest_size=8)
    sizes = []
    with ThreadPoolExecutor(NUM_FOOTER_READERS) as readers:
        footers = readers.map(_read_footer, table.uris)
        for path, (num_rows, footer_hash) in zip(table.paths, footers, strict=True):
            sizes.append(num_rows)
            digest.update(f"{path} {footer_hash}\n".encode())
    return NumberedRows(table, tuple(sizes), digest.hexdigest())


def _read_footer(uri: str) -> tuple[int, str]:
    filesystem, path = storage.filesystem_and_path(uri)
    try:
        metadata = pq.read_metadata(path, filesystem=filesystem)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(uri, error) from error
    stream = pa.BufferOutputStream()
    metadata.write_metadata_file(stream)
    footer = stream.getvalue().to_pybytes()
    return metadata.num_rows, hashlib.blake2b(footer, digest_size=8).hexdigest()


class RowReader:
    """Reads runs of rows; faster if one follows on another.

    Args:
        rows: the table.
        columns: what is read, in this order.
    """

    def __init__(self, rows: NumberedRows, columns: Sequence[str]) -> None:
        self._rows = rows
        self._columns = list(dict.fromkeys(columns))
        self._ends = np.cumsum(rows.file_sizes)
        self._kept: tuple[tuple[str, int], pa.Table] | None = None

    def read(self, start: int, stop: int) -> pa.Table:
        """Read rows ``start`` to ``stop`` - 1.

        Raises:
            CatalogError: a file cannot be read.
            StorageError: an object store does not answer.
        """
        pieces: list[pa.Table] = []
        first = int(np.searchsorted(self._ends, start, "right"))
        last = int(np.searchsorted(self._ends, stop, "left"))
        for index in range(first, last + 1):
            file_start = int(self._ends[index]) - self._rows.file_sizes[index]
            file_stop = min(stop, int(self._ends[index])) - file_start
            pieces += self._read_file(index, max(start - file_start, 0), file_stop)
        return pa.concat_tables(pieces)

    def _read_file(self, index: int, start: int, stop: int) -> Iterator[pa.Table]:
        uri = self._rows.table.uris[index]
        try:
            filesystem, path = storage.filesystem_and_path(uri)
            with pq.ParquetFile(path, filesystem=filesystem) as file:
                group_start = 0
                for group in range(file.num_row_groups):
                    size = file.metadata.row_group(group).num_rows
                    first = max(start - group_start, 0)
                    last = min(stop - group_start, size)
                    if first < last:
                        rows = self._read_group(file, uri, group, first, last)
                        yield self._with_known_columns(rows, index)
                    group_start += size
        except (pa.ArrowException, OSError) as error:
            raise unreadable(uri, error) from error

    def _read_group(
        self, file: pq.ParquetFile, uri: str, group: int, first: int, last: int
    ) -> pa.Table:
        """Read some rows of a row group; keep it, if it is small, for the next ones."""
        if self._kept is not None and self._kept[0] == (uri, group):
            return self._kept[1].slice(first, last - first)
        columns = [name for name in self._columns if name in file.schema_arrow.names]
        if file.metadata.row_group(group).total_byte_size <= MAX_KEPT_BYTES:
            rows = file.read_row_group(group, columns=columns)
            self._kept = ((uri, group), rows)
            return rows.slice(first, last - first)
        batches, at = [], 0
        for batch in file.iter_batches(ROWS_AT_A_TIME, [group], columns):
            begin, end = max(first - at, 0), min(last - at, len(batch))
            if begin < end:
                batches.append(batch.slice(begin, end - begin))
            at += len(batch)
            if at >= last:
                break
        return pa.Table.from_batches(batches)

    def _with_known_columns(self, rows: pa.Table, index: int) -> pa.Table:
        """Add columns that stand in the file's name; give all columns their types."""
        table = self._rows.table
        known = table.known_values(table.paths[index])
        arrays = []
        for name in self._columns:
            type_ = table.schema.field(name).type
            if name in rows.column_names:
                arrays.append(rows[name].cast(type_))
            else:
                value = pa.scalar(known.get(name)).cast(type_)
                arrays.append(pa.chunked_array([pa.repeat(value, len(rows))]))
        schema = pa.schema([table.schema.field(name) for name in self._columns])
        return pa.table(arrays, schema=schema)
