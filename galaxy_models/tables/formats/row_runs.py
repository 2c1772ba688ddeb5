"""Some rows of a table, by their numbers, as runs of rows that follow one another.

Knows numbers only. Rows that were appended to a table are one run, whatever their
number, so that a choice of them is small where it travels.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class RowRuns:
    """Chosen rows, in ascending order."""

    starts: NDArray[np.int64]
    """First row of each run, shape (runs,)."""

    stops: NDArray[np.int64]
    """The row after its last, shape (runs,)."""

    @classmethod
    def where(cls, is_chosen: NDArray[np.bool_]) -> "RowRuns":
        """Choose the rows for which a mask, shape (rows,), is true."""
        edges = np.diff(np.concatenate([[False], is_chosen, [False]]).astype(np.int8))
        return cls(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1))

    @property
    def num_rows(self) -> int:
        """Chosen rows."""
        return int((self.stops - self.starts).sum())

    def mask(self, num_rows: int) -> NDArray[np.bool_]:
        """Whether each of a table's first rows is chosen; bool, shape (num_rows,)."""
        edges = np.zeros(num_rows + 1, np.int8)
        np.add.at(edges, np.minimum(self.starts, num_rows), 1)
        np.add.at(edges, np.minimum(self.stops, num_rows), -1)
        return np.cumsum(edges[:-1], dtype=np.int8).astype(bool)

    def numbers(self, start: int, stop: int) -> NDArray[np.int64]:
        """Give the table's numbers of the chosen rows ``start`` to ``stop`` - 1.

        Returns:
            int64, shape (stop - start,), ascending.
        """
        places = np.arange(start, stop)
        ends = np.cumsum(self.stops - self.starts)
        runs = np.searchsorted(ends, places, "right")
        return np.asarray(places - ends[runs] + self.stops[runs], np.int64)

    def hexdigest(self) -> str:
        """Name the choice."""
        runs = np.stack([self.starts, self.stops]).astype(np.int64)
        return hashlib.blake2b(runs.tobytes(), digest_size=8).hexdigest()

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, RowRuns)
            and np.array_equal(self.starts, other.starts)
            and np.array_equal(self.stops, other.stops)
        )

    def __hash__(self) -> int:
        return hash((len(self.starts), self.num_rows))
