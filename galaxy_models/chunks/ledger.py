"""What is done and what is not: every row in one file, whatever dies on the way.

    part-000007.parquet            results of rows 350,000 to 399,999, and only theirs
    _chunks/000008/000391.parquet  results that are not yet in a file

The rows of what is worked through (a catalog's galaxies, the tiles of images), in their
order, are cut into chunks, and runs of chunks make up files.
A chunk is written whole under a name that only its rows have, so that one that is
written twice is there once. When all chunks of a file are there, they become the file,
which is written whole as well. A job that begins again looks at the names and does what
is missing. Readers of Parquet pass by names that begin with an underscore: at every
moment the output holds finished files and nothing twice.

This module knows names, counts and tables; it knows neither models nor Ray.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from galaxy_models import storage
from galaxy_models.tables.votable_metadata import votable_metadata

CHUNKS_NAME = "_chunks"
OUTPUT_NAMES = (CHUNKS_NAME, "part-[0-9]*.parquet")  # all that lies in the output
COMPRESSION = "zstd"
PREDICTIONS = "predictions"


@dataclass(frozen=True)
class Ledger:
    """How rows are cut into chunks and files, and where the pieces lie."""

    output: str
    """URI of the results' folder."""

    num_rows: int
    """Rows to work through."""

    rows_per_chunk: int
    """Rows that are done together; the last chunk of a file may have fewer."""

    rows_per_file: int
    """Rows whose results make up a file, but for the last."""

    first_file: int = 0
    """Files of rows that were carried over, which come before these."""

    is_one_to_one: bool = True
    """Whether each row has one row of results; else any number."""

    content_name: str = PREDICTIONS
    """What the results are called in their files' description."""

    @property
    def chunks_per_file(self) -> int:
        """Chunks of every file but the last."""
        return -(-self.rows_per_file // self.rows_per_chunk)

    @property
    def num_chunks(self) -> int:
        """Chunks of all rows, numbered from 0."""
        whole_files, rest = divmod(self.num_rows, self.rows_per_file)
        return whole_files * self.chunks_per_file + -(-rest // self.rows_per_chunk)

    @property
    def num_files(self) -> int:
        """Files of the finished results, numbered from 0."""
        return -(-self.num_rows // self.rows_per_file)

    def rows_of(self, chunk: int) -> tuple[int, int]:
        """First row of a chunk, and the one after its last."""
        file, place = divmod(chunk, self.chunks_per_file)
        file_start = file * self.rows_per_file
        file_stop = min(file_start + self.rows_per_file, self.num_rows)
        start = file_start + place * self.rows_per_chunk
        return start, min(start + self.rows_per_chunk, file_stop)

    def file_of(self, chunk: int) -> int:
        """File that a chunk belongs to."""
        return chunk // self.chunks_per_file

    def chunks_of(self, file: int) -> range:
        """Chunks that make up a file."""
        start = file * self.chunks_per_file
        return range(start, min(start + self.chunks_per_file, self.num_chunks))

    def file_uri(self, file: int) -> str:
        """Where a finished file lies."""
        return file_uri(self.output, self.first_file + file)

    def is_finished(self, file: int) -> bool:
        """Whether a file is there."""
        return storage.is_file(self.file_uri(file))

    def chunk_uri(self, chunk: int) -> str:
        """Where a chunk lies until its file is finished."""
        folder = self._chunk_folder(self.file_of(chunk))
        return storage.join(folder, f"{chunk:06d}.parquet")

    def _chunk_folder(self, file: int) -> str:
        return storage.join(self.output, f"{CHUNKS_NAME}/{file:06d}")

    def finished_files(self) -> set[int]:
        """Files that are there."""
        there = finished_uris(self.output)
        return {file for file in range(self.num_files) if self.file_uri(file) in there}

    def started_files(self) -> set[int]:
        """Files of which there may be chunks; so only these need be looked into."""
        names = set(storage.list_names(storage.join(self.output, CHUNKS_NAME)))
        return {file for file in range(self.num_files) if f"{file:06d}" in names}

    def kept_chunks(self, file: int) -> set[int]:
        """Chunks of an unfinished file that are there."""
        names = set(storage.list_names(self._chunk_folder(file)))
        return {
            chunk
            for chunk in self.chunks_of(file)
            if self.chunk_uri(chunk).rpartition("/")[2] in names
        }

    def write_chunk(self, chunk: int, results: pa.Table) -> None:
        """Keep a chunk's results.

        Raises:
            ValueError: there are more or fewer rows than the chunk has.
        """
        if not self._may_be(chunk, results):
            start, stop = self.rows_of(chunk)
            raise ValueError(
                f"chunk {chunk} has {stop - start} rows, not {len(results)}"
            )
        storage.write_bytes(self.chunk_uri(chunk), to_parquet(results))

    def _may_be(self, chunk: int, results: pa.Table) -> bool:
        start, stop = self.rows_of(chunk)
        return not self.is_one_to_one or len(results) == stop - start

    def read_chunk(self, chunk: int) -> pa.Table | None:
        """Read a chunk's results back.

        Returns:
            None if they are not there, or cannot be read, as when the power failed
            before a disk had them.

        Raises:
            StorageError: an object store does not answer.
        """
        try:
            data = storage.read_bytes(self.chunk_uri(chunk))
        except FileNotFoundError:
            return None
        try:
            results = pq.read_table(pa.BufferReader(data))
        except (pa.ArrowException, OSError):
            return None
        return results if self._may_be(chunk, results) else None

    def finish_file(self, file: int, metadata: Mapping[bytes, bytes]) -> list[int]:
        """Make a file of its chunks, then delete them.

        Args:
            file: which one.
            metadata: of the file, in addition to the description of its columns.

        Returns:
            Chunks that could not be read: they are deleted, to be done again, and
            the file is not made yet. Empty if all is well.
        """
        if not self.is_finished(file):  # else it died while deleting
            chunks = {chunk: self.read_chunk(chunk) for chunk in self.chunks_of(file)}
            lost = [chunk for chunk, rows in chunks.items() if rows is None]
            for chunk in lost:
                storage.delete_file(self.chunk_uri(chunk))
            if lost:
                return lost
            # An earlier version may have begun, which kept texts as large_string, too.
            table = pa.concat_tables(chunks.values(), promote_options="permissive")
            # In one piece: how files look does not depend on how chunks were cut.
            table = table.combine_chunks()
            write_file(self.file_uri(file), table, metadata, self.content_name)
        storage.delete_folder(self._chunk_folder(file))
        return []


class Remaining:
    """What is left of a ledger's work; on the driver."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        finished, started = ledger.finished_files(), ledger.started_files()
        self._missing: dict[int, set[int]] = {}
        self._whole: list[int] = []
        for file in range(ledger.num_files):
            if file not in finished:
                kept = ledger.kept_chunks(file) if file in started else set()
                self._missing[file] = set(ledger.chunks_of(file)) - kept
                self._take_out_if_whole(file)

    def chunks_to_do(self) -> list[int]:
        """Chunks that are neither kept nor in a file, in order."""
        return sorted(chunk for chunks in self._missing.values() for chunk in chunks)

    def num_rows_to_do(self) -> int:
        """Rows of these chunks."""
        ranges = map(self.ledger.rows_of, self.chunks_to_do())
        return sum(stop - start for start, stop in ranges)

    def whole_files(self) -> list[int]:
        """Give the files whose chunks are all kept, each once, to be finished."""
        whole, self._whole = self._whole, []
        return whole

    def chunk_is_kept(self, chunk: int) -> None:
        """Note that a chunk was written."""
        file = self.ledger.file_of(chunk)
        self._missing[file].discard(chunk)
        self._take_out_if_whole(file)

    def chunk_is_lost(self, chunk: int) -> None:
        """Note that a chunk cannot be read, so that it is to be done again."""
        self._missing.setdefault(self.ledger.file_of(chunk), set()).add(chunk)

    def _take_out_if_whole(self, file: int) -> None:
        if not self._missing[file]:
            del self._missing[file]
            self._whole.append(file)


def file_uri(output: str, number: int) -> str:
    """Where a finished file of an output lies."""
    return storage.join(output, f"part-{number:06d}.parquet")


def finished_uris(output: str) -> set[str]:
    """Where its finished files lie, among others."""
    return {storage.join(output, name) for name in storage.list_names(output)}


def write_file(
    uri: str,
    rows: pa.Table,
    metadata: Mapping[bytes, bytes],
    content_name: str = PREDICTIONS,
) -> None:
    """Write a finished file, whole.

    Args:
        uri: where it lies.
        rows: its rows.
        metadata: of the file, in addition to the description of its columns.
        content_name: what the rows are called in that description.
    """
    described = {**metadata, **votable_metadata(rows, content_name)}
    storage.write_bytes(uri, to_parquet(rows.replace_schema_metadata(described)))


def to_parquet(table: pa.Table) -> pa.Buffer:
    """Give the bytes of a file or a chunk."""
    stream = pa.BufferOutputStream()
    # A dictionary of an embedding's numbers saves no bytes and is slow (five times).
    plain = [one.name for one in table.schema if not pa.types.is_nested(one.type)]
    words = plain if len(plain) < len(table.schema) else True
    pq.write_table(table, stream, compression=COMPRESSION, use_dictionary=words)
    return stream.getvalue()
