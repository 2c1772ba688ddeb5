"""What a driver asks of those who do the work, wherever they are."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from galaxy_models.chunks.chunk_result import ChunkResult

CHUNK_COLUMN = "chunk"  # of tables of chunks' numbers, as they reach the workers
MAX_TASKS = 4096  # of actors that read by themselves; each costs the driver time
WRITE_CPUS = 0.25  # of a task that makes a file of chunks; actors leave room for it


class Workers(Protocol):
    """Do chunks and make files of them: Ray's actors and tasks, or threads."""

    def results(self, chunks: list[int]) -> Iterator[ChunkResult]:
        """Do chunks and keep them; give the result of each, in any order."""
        ...

    def finish(self, files: list[int]) -> None:
        """Make files whose chunks are all kept; may return before they are made."""
        ...

    def lost_chunks(self) -> Iterable[int]:
        """Wait for these files; name the chunks that could not be read again."""
        ...


class Worker(Protocol):
    """What does chunks one after the other."""

    def do_chunk(self, chunk: int) -> ChunkResult:
        """Do a chunk and keep it."""
        ...


class CountsLog(Protocol):
    """Where workers count what they do."""

    def count(self, **numbers: int) -> None:
        """Add to the sums that the driver shows."""
        ...

    def flush(self) -> None:
        """Send what was counted."""
        ...
