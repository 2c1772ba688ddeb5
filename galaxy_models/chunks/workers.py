"""What a driver asks of those who do the work, wherever they are."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from galaxy_models.chunks.chunk_result import ChunkResult

CHUNK_COLUMN = "chunk"  # of tables of chunks' numbers, as they reach the workers
# Of actors that read by themselves. Few tasks spare the driver (6 ms of a core each,
# measured); many end together: the last ones are waited for by actors without another.
FEW_TASKS = 4096
TASKS_PER_ACTOR = 32  # that all may wait for: 3 % of the run
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


def choose_num_tasks(num_chunks: int, num_actors: int) -> int:
    """Settle into how many tasks chunks are divided, where an actor reads as well."""
    return min(num_chunks, max(FEW_TASKS, TASKS_PER_ACTOR * num_actors))
