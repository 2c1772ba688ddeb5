"""What an actor tells the driver of a chunk that it kept; a row of a table.

And how long its stages took: an actor's time is reading, decoding, predicting and
writing, or it is idle.
"""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

Stage = Literal["reading", "decoding", "predicting", "writing"]
SCHEMA = pa.schema(
    {
        "chunk": pa.int64(),
        "rows": pa.int64(),
        "failures": pa.map_(pa.string(), pa.int64()),
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
class KeptChunk:
    """A chunk whose predictions are written."""

    chunk: int
    """Its number."""

    rows: int
    """How many it has."""

    failures: dict[str, int] = field(default_factory=dict)
    """Failed rows by reason; empty, too, if its actor died before it told of them."""

    seconds: dict[Stage, float] = field(default_factory=dict)
    """What each stage took (s); empty likewise."""

    @property
    def num_failed(self) -> int:
        """Failed rows."""
        return sum(self.failures.values())

    def to_table(self) -> pa.Table:
        """Make a row of it, to travel to the driver."""
        row = {
            "chunk": self.chunk,
            "rows": self.rows,
            "failures": list(self.failures.items()),
            "seconds": list(self.seconds.items()),
        }
        return pa.Table.from_pylist([row], schema=SCHEMA)

    @classmethod
    def from_table(cls, table: pa.Table) -> Iterator["KeptChunk"]:
        """Read rows that travelled."""
        for row in table.to_pylist():
            maps = {name: dict(row[name]) for name in ("failures", "seconds")}
            yield cls(row["chunk"], row["rows"], **maps)


def count_failures(errors: list[str | None]) -> dict[str, int]:
    """Count failed rows by the reason that their error begins with."""
    return dict(Counter(error.partition(":")[0] for error in errors if error))
