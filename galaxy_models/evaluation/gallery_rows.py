"""Selects the galaxies of a report: the extremes of any number of rows.

Memory holds the galaxies that are shown so far. This module knows rows, not pixels.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.evaluation.predictions import PredictionBatch, Rows


@dataclass(frozen=True)
class ShownGalaxy:
    """A galaxy of a gallery."""

    object_id: str
    predicted: int
    """Index of the class."""

    confidence: float
    label: int | None
    """Index of the class; None where there is no label."""


@dataclass(frozen=True)
class FailedGalaxy:
    """A row without a prediction."""

    object_id: str
    error: str


Shown = TypeVar("Shown")


class TopRows(Generic[Shown]):
    """The galaxies of the highest scores so far; of equal ones the first.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: list[tuple[float, Shown]] = []

    @property
    def galaxies(self) -> list[Shown]:
        """What is kept, the highest score first."""
        return [galaxy for _, galaxy in self._kept]

    def add(
        self,
        scores: NDArray[np.floating],
        is_candidate: NDArray[np.bool_],
        shown: Callable[[int], Shown],
    ) -> None:
        """Let the rows of a batch compete.

        Args:
            scores: shape (rows,).
            is_candidate: shape (rows,), which may be shown.
            shown: gives what is shown of a row.
        """
        if len(self._kept) == self._size:
            lowest = self._kept[-1][0] if self._kept else np.inf
            is_candidate = is_candidate & (scores > lowest)
        rows = np.flatnonzero(is_candidate)
        rows = rows[np.argsort(-scores[rows], kind="stable")][: self._size]
        found = [(float(scores[row]), shown(row)) for row in rows.tolist()]
        self._kept = heapq.nlargest(
            self._size, self._kept + found, key=lambda pair: pair[0]
        )


class FailedRows:
    """The first rows that failed.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self.galaxies: list[FailedGalaxy] = []

    def add(self, rows: Rows) -> None:
        """Keep those of a batch, while there is room."""
        failed = np.flatnonzero(~rows.is_ok)[: self._size - len(self.galaxies)]
        ids = rows.object_ids.take(pa.array(failed)).to_pylist()
        errors = rows.errors.take(pa.array(failed)).to_pylist()
        for object_id, error in zip(ids, errors, strict=True):
            self.galaxies.append(FailedGalaxy(str(object_id), error or ""))


class GalleryRows:
    """The galaxies of all galleries.

    Args:
        num_classes: coarse ones.
        size: galaxies a gallery.
    """

    def __init__(self, num_classes: int, size: int) -> None:
        self.most_confident = [TopRows[ShownGalaxy](size) for _ in range(num_classes)]
        """By predicted class."""

        self.least_confident = TopRows[ShownGalaxy](size)
        self.least_familiar = TopRows[ShownGalaxy](size)
        """Of predictions that say it."""

        self.worst_mistakes = TopRows[ShownGalaxy](size)
        """The most confident of those whose label is another class."""

        self._failed = FailedRows(size)

    @property
    def failed(self) -> list[FailedGalaxy]:
        """The first ones."""
        return self._failed.galaxies

    def add(self, batch: PredictionBatch, labels: NDArray[np.int64]) -> None:
        """Let the rows of a batch compete.

        Args:
            batch: the rows.
            labels: shape (rows,), index of the label's class; negative where none.
        """
        confidence, predicted, is_ok = batch.confidence, batch.predicted, batch.is_ok
        shown = partial(_galaxy, batch, labels)
        for index, rows in enumerate(self.most_confident):
            rows.add(confidence, predicted == index, shown)
        self.least_confident.add(-confidence, is_ok, shown)
        if batch.familiarity is not None:
            self.least_familiar.add(-batch.familiarity, is_ok, shown)
        is_wrong = is_ok & (labels >= 0) & (labels != predicted)
        self.worst_mistakes.add(confidence, is_wrong, shown)
        self._failed.add(batch)

    @property
    def galaxies(self) -> list[ShownGalaxy]:
        """All that have a prediction."""
        every = [
            *self.most_confident,
            self.least_confident,
            self.least_familiar,
            self.worst_mistakes,
        ]
        return [galaxy for rows in every for galaxy in rows.galaxies]


def _galaxy(batch: PredictionBatch, labels: NDArray[np.int64], row: int) -> ShownGalaxy:
    return ShownGalaxy(
        object_id=str(batch.object_ids[row].as_py()),
        predicted=int(batch.predicted[row]),
        confidence=float(batch.confidence[row]),
        label=int(labels[row]) if labels[row] >= 0 else None,
    )
