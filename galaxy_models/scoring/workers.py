"""What the driver of a scoring asks of those who do the work, wherever they are."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from galaxy_models.scoring.chunk_result import ChunkResult


class Workers(Protocol):
    """Predict chunks and make files of them: Ray's actors and tasks, or threads."""

    def predicted(self, chunks: list[int]) -> Iterator[ChunkResult]:
        """Predict chunks and keep them; give the result of each, in any order."""
        ...

    def finish(self, files: list[int]) -> None:
        """Make files whose chunks are all kept; may return before they are made."""
        ...

    def lost_chunks(self) -> Iterable[int]:
        """Wait for these files; name the chunks that could not be read again."""
        ...


class CountsLog(Protocol):
    """Where predictors count what they do."""

    def count(self, **numbers: int) -> None:
        """Add to the sums that the driver shows."""
        ...

    def flush(self) -> None:
        """Send what was counted."""
        ...
