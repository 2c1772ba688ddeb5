"""The rows of a Parquet table by their number, wherever they lie.

Row 0 is the first of the first file. Parquet gives nothing less than a row group, from
its start: a small one is read once and kept, a large one (it may hold images) is read
on from where the last run of rows ended.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.tables.formats.parquet import ParquetTable, may_be_large
from galaxy_models.tables.formats.row_runs import RowRuns
from galaxy_models.tables.formats.table import unreadable

FOOTER_BYTES = 64 * 2**10  # read at first; longer footers take a second look
TRAILER_BYTES = 8  # after the footer: its length, and Parquet's name
NUM_FOOTER_READERS = 16  # threads; a store takes milliseconds to answer
MAX_KEPT_BYTES = 64 * 2**20  # of a row group that the next rows may be read from
ROWS_AT_A_TIME = 256  # of a row group that is not kept: it may hold images
ROWS_PER_WINDOW = 4096  # read for the few of them that are chosen, images apart
SAMPLE_SEED = 0
BUFFER_BYTES = 4 * 2**20  # read at once; else a row group's whole columns would be


@dataclass(frozen=True)
class NumberedRows:
    """How many rows each of a table's files has, and what its files were."""

    table: ParquetTable
    file_sizes: tuple[int, ...]
    """Rows of each file."""

    content_hash: str
    """Of the files' names and footers: of their columns, sizes and statistics, in the
    very bytes of the files."""

    chosen: RowRuns | None = None
    """Rows of the files that are meant, and numbered from 0; all if None."""

    @property
    def num_rows(self) -> int:
        """Rows that are meant."""
        return sum(self.file_sizes) if self.chosen is None else self.chosen.num_rows


def number_rows(table: ParquetTable) -> NumberedRows:
    """Read the footer of every file.

    Raises:
        CatalogError: a file is no Parquet file.
        StorageError: an object store does not answer.
    """
    return NumberedRows(table, *_described(table, lambda footer, _: footer))


def sample_rows(rows: NumberedRows, num: int) -> NumberedRows:
    """Choose some rows at random, the same ones each time."""
    random = np.random.default_rng(SAMPLE_SEED)
    size = min(num, rows.num_rows)
    places = np.sort(random.choice(rows.num_rows, size, replace=False, shuffle=False))
    if rows.chosen is not None:
        places = np.concatenate([rows.chosen.numbers(at, at + 1) for at in places])
    return replace(rows, chosen=RowRuns(places, places + 1))


def version_1_content_hash(table: ParquetTable) -> str:
    """Hash a table's files as version 0.1 did: its outputs are compared by that.

    It took the footers as the installed pyarrow writes them anew, so that the hash of
    an unchanged file may be another one after an upgrade.
    """
    return _described(table, lambda _, metadata: _written_anew(metadata))[1]


def _described(
    table: ParquetTable, hashed: Callable[[bytes, pq.FileMetaData], bytes]
) -> tuple[tuple[int, ...], str]:
    """Count the rows of each file, and hash names and footers.

    Args:
        table: whose files.
        hashed: what is hashed of a file, given its footer's bytes and content.
    """

    def describe(uri: str) -> tuple[int, str]:
        footer, metadata = _read_footer(uri)
        content = hashlib.blake2b(hashed(footer, metadata), digest_size=8)
        return metadata.num_rows, content.hexdigest()

    digest = hashlib.blake2b(digest_size=8)
    sizes = []
    with ThreadPoolExecutor(NUM_FOOTER_READERS) as readers:
        files = readers.map(describe, table.uris)
        for path, (num_rows, content_hash) in zip(table.paths, files, strict=True):
            sizes.append(num_rows)
            digest.update(f"{path} {content_hash}\n".encode())
    return tuple(sizes), digest.hexdigest()


def _read_footer(uri: str) -> tuple[bytes, pq.FileMetaData]:
    """Read a Parquet file's footer: its very bytes, and what they say."""
    filesystem, path = storage.filesystem_and_path(uri)
    try:
        with filesystem.open_input_file(path) as file:
            end = _tail(file, FOOTER_BYTES)
            length = int.from_bytes(end[-TRAILER_BYTES:][:4], "little") + TRAILER_BYTES
            if length > len(end):
                end = _tail(file, length)
        # Arrow wants a file, which begins as it ends: with Parquet's name.
        footer = end[-length:]
        metadata = pq.read_metadata(pa.BufferReader(footer[-4:] + footer))
    except (pa.ArrowException, OSError) as error:
        raise unreadable(uri, error) from error
    return footer, metadata


def _tail(file: pa.NativeFile, num_bytes: int) -> bytes:
    size = file.size()
    num_bytes = min(num_bytes, size)
    return bytes(file.read_at(num_bytes, size - num_bytes))


def _written_anew(metadata: pq.FileMetaData) -> bytes:
    stream = pa.BufferOutputStream()
    metadata.write_metadata_file(stream)
    return bytes(stream.getvalue().to_pybytes())


class _LargeGroup:
    """A row group that is read forwards, a few rows at a time.

    Args:
        file: an open file.
        group: number of the row group.
        columns: what is read.
    """

    def __init__(self, file: pq.ParquetFile, group: int, columns: list[str]) -> None:
        self.group = group
        self.at = 0
        """First row that can still be read."""

        self._batches = file.iter_batches(ROWS_AT_A_TIME, [group], columns)
        self._batch = next(self._batches)

    def read(self, first: int, last: int) -> pa.Table:
        """Read rows ``first`` to ``last`` - 1, none of which lies before ``at``."""
        pieces = []
        while True:
            begin, end = max(first - self.at, 0), last - self.at
            if begin < len(self._batch):
                pieces.append(self._batch.slice(begin, end - begin))
            if end <= len(self._batch):
                return pa.Table.from_batches(pieces)
            self.at += len(self._batch)
            self._batch = next(self._batches)


class RowReader:
    """Reads runs of rows; faster if one follows on another.

    Args:
        rows: the table.
        columns: what is read, in this order.
    """

    def __init__(self, rows: NumberedRows, columns: Sequence[str]) -> None:
        self._rows = rows
        self._columns = list(dict.fromkeys(columns))
        fields = map(rows.table.schema.field, self._columns)
        self._may_be_large = any(may_be_large(field.type) for field in fields)
        self._ends = np.cumsum(rows.file_sizes)
        self._file: tuple[str, pq.ParquetFile] | None = None
        self._kept: tuple[int, pa.Table] | None = None  # a row group of that file
        self._ahead: _LargeGroup | None = None  # another one

    def read(self, start: int, stop: int) -> pa.Table:
        """Read rows ``start`` to ``stop`` - 1.

        Raises:
            CatalogError: a file cannot be read.
            StorageError: an object store does not answer.
        """
        if self._rows.chosen is None:
            return pa.concat_tables(self._read_run(start, stop))
        numbers = self._rows.chosen.numbers(start, stop)
        windows = np.split(numbers, np.flatnonzero(self._are_apart(numbers)) + 1)
        return pa.concat_tables(map(self._read_among, windows))

    def _are_apart(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether rows and the ones after them had better be read separately."""
        if self._may_be_large:
            return np.diff(numbers) > 1
        return np.diff(numbers // ROWS_PER_WINDOW) > 0

    def _read_among(self, numbers: NDArray[np.int64]) -> pa.Table:
        """Read rows by reading all from the first of them to the last."""
        first, last = int(numbers[0]), int(numbers[-1])
        rows = pa.concat_tables(self._read_run(first, last + 1))
        return rows if len(rows) == len(numbers) else rows.take(numbers - first)

    def _read_run(self, start: int, stop: int) -> Iterator[pa.Table]:
        """Read rows that follow one another, in pieces."""
        first = int(np.searchsorted(self._ends, start, "right"))
        last = int(np.searchsorted(self._ends, stop, "left"))
        for index in range(first, last + 1):
            file_start = int(self._ends[index]) - self._rows.file_sizes[index]
            file_stop = min(stop, int(self._ends[index])) - file_start
            yield from self._read_file(index, max(start - file_start, 0), file_stop)

    def _read_file(self, index: int, start: int, stop: int) -> Iterator[pa.Table]:
        uri = self._rows.table.uris[index]
        try:
            file = self._open(uri)
            group_start = 0
            for group in range(file.num_row_groups):
                size = file.metadata.row_group(group).num_rows
                first = max(start - group_start, 0)
                last = min(stop - group_start, size)
                if first < last:
                    rows = self._read_group(file, group, first, last)
                    yield self._with_known_columns(rows, index)
                group_start += size
        except (pa.ArrowException, OSError) as error:
            self._close()  # and begin anew, should somebody try again
            raise unreadable(uri, error) from error

    def _open(self, uri: str) -> pq.ParquetFile:
        """Open a file, unless it is the one that was read last."""
        if self._file is None or self._file[0] != uri:
            self._close()
            filesystem, path = storage.filesystem_and_path(uri)
            file = pq.ParquetFile(
                path, filesystem=filesystem, buffer_size=BUFFER_BYTES, pre_buffer=False
            )
            self._file = uri, file
        return self._file[1]

    def _close(self) -> None:
        self._kept = self._ahead = None
        if self._file is not None:
            self._file[1].close()
            self._file = None

    def _read_group(
        self, file: pq.ParquetFile, group: int, first: int, last: int
    ) -> pa.Table:
        """Read some rows of a row group."""
        columns = [name for name in self._columns if name in file.schema_arrow.names]
        if file.metadata.row_group(group).total_byte_size <= MAX_KEPT_BYTES:
            if self._kept is None or self._kept[0] != group:
                self._kept = group, file.read_row_group(group, columns=columns)
            return self._kept[1].slice(first, last - first)
        ahead = self._ahead
        if ahead is None or ahead.group != group or ahead.at > first:
            ahead = self._ahead = _LargeGroup(file, group, columns)
        return ahead.read(first, last)

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
