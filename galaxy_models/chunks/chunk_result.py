"""What an actor reports of a chunk that it wrote: rows counted, seconds by stage.

It travels to the driver as a row of a table. An actor's time is in one of the stages,
or the actor is idle.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from galaxy_models.chunks.ledger import Ledger
from galaxy_models.chunks.row_counts import RowCounts, count_rows

Stage = Literal[
    "reading", "decoding", "extracting", "measuring", "predicting", "writing"
]
WAITING = "waiting"  # for rows, for the last of the other workers, to be started
COUNTS = (
    "statuses",
    "failure_reasons",
    "classes",
)  # columns; a field of RowCounts each
SCHEMA = pa.schema(
    {
        "chunk": pa.int64(),
        **dict.fromkeys(COUNTS, pa.map_(pa.string(), pa.int64())),
        "seconds": pa.map_(pa.string(), pa.float64()),
    }
)


class Stopwatch:
    """Adds up the seconds of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[Stage, float] = {}

    @contextmanager
    def timing(self, stage: Stage) -> Iterator[None]:
        """Time what the block does."""
        started_s = time.perf_counter()
        yield
        seconds = time.perf_counter() - started_s
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds


@dataclass(frozen=True)
class ChunkResult:
    """A chunk whose results are written."""

    chunk: int
    """Its number."""

    counts: RowCounts
    """Its rows; none if its file was finished before its actor could report it."""

    seconds: dict[Stage, float] = field(default_factory=dict)
    """What each stage took (s); empty if another actor, which died, wrote it."""

    def to_table(self) -> pa.Table:
        """Make a row of it, to travel to the driver."""
        row = {
            "chunk": self.chunk,
            **{name: list(getattr(self.counts, name).items()) for name in COUNTS},
            "seconds": list(self.seconds.items()),
        }
        return pa.Table.from_pylist([row], schema=SCHEMA)

    @classmethod
    def from_table(cls, table: pa.Table) -> Iterator["ChunkResult"]:
        """Read rows that travelled."""
        for row in table.to_pylist():
            counts = RowCounts(*(Counter(dict(row[name])) for name in COUNTS))
            yield cls(row["chunk"], counts, dict(row["seconds"]))


def seconds_by_stage(
    seconds: Mapping[Stage, float], num_workers: int, wall_s: float
) -> dict[str, float]:
    """Account for all of the workers' time.

    Args:
        seconds: of all workers, at each stage (s).
        num_workers: how many there were.
        wall_s: how long they were there (s).

    Returns:
        Seconds of a worker at each stage, and ``WAITING``; they add up to ``wall_s``.
    """
    mean = {stage: total / num_workers for stage, total in seconds.items()}
    waiting = max(0.0, wall_s - sum(mean.values()))
    return {
        name: round(value, 3) for name, value in (mean | {WAITING: waiting}).items()
    }


def earlier_result(ledger: Ledger, chunk: int) -> ChunkResult | None:
    """What an actor wrote that died before the last chunk of its task."""
    rows = ledger.read_chunk(chunk)
    if rows is not None:
        return ChunkResult(chunk, count_rows(rows))
    if ledger.is_finished(ledger.file_of(chunk)):
        return ChunkResult(chunk, RowCounts())
    return None
