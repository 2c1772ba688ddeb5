"""Selects the galaxies of a report: the extremes of any number of rows.

Memory holds the galaxies that are shown so far. This module knows rows, not pixels.
"""

import heapq
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.evaluation.predictions import PredictionBatch


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


class TopRows:
    """The galaxies of the highest scores so far; of equal ones the first.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: list[tuple[float, ShownGalaxy]] = []

    @property
    def galaxies(self) -> list[ShownGalaxy]:
        """What is kept, the highest score first."""
        return [galaxy for _, galaxy in self._kept]

    def add(
        self,
        batch: PredictionBatch,
        labels: NDArray[np.int64],
        scores: NDArray[np.float32],
        is_candidate: NDArray[np.bool_],
    ) -> None:
        """Let the rows of a batch compete.

        Args:
            batch: the rows.
            labels: shape (rows,), index of the label's class; negative where none.
            scores: shape (rows,).
            is_candidate: shape (rows,), which may be shown.
        """
        if len(self._kept) == self._size:
            lowest = self._kept[-1][0] if self._kept else np.inf
            is_candidate = is_candidate & (scores > lowest)
        rows = np.flatnonzero(is_candidate)
        rows = rows[np.argsort(-scores[rows], kind="stable")][: self._size]
        found = [
            (float(scores[row]), _galaxy(batch, labels, row)) for row in rows.tolist()
        ]
        self._kept = heapq.nlargest(
            self._size, self._kept + found, key=lambda pair: pair[0]
        )


class GalleryRows:
    """The galaxies of all galleries.

    Args:
        num_classes: coarse ones.
        size: galaxies a gallery.
    """

    def __init__(self, num_classes: int, size: int) -> None:
        self._size = size
        self.most_confident = [TopRows(size) for _ in range(num_classes)]
        """By predicted class."""

        self.least_confident = TopRows(size)
        self.least_familiar = TopRows(size)
        """Of predictions that say it."""

        self.worst_mistakes = TopRows(size)
        """The most confident of those whose label is another class."""

        self.failed: list[FailedGalaxy] = []
        """The first ones."""

    def add(self, batch: PredictionBatch, labels: NDArray[np.int64]) -> None:
        """Let the rows of a batch compete.

        Args:
            batch: the rows.
            labels: shape (rows,), index of the label's class; negative where none.
        """
        confidence, predicted = batch.confidence, batch.predicted
        for index, rows in enumerate(self.most_confident):
            rows.add(batch, labels, confidence, predicted == index)
        self.least_confident.add(batch, labels, -confidence, batch.is_ok)
        if batch.familiarity is not None:
            self.least_familiar.add(batch, labels, -batch.familiarity, batch.is_ok)
        is_wrong = batch.is_ok & (labels >= 0) & (labels != predicted)
        self.worst_mistakes.add(batch, labels, confidence, is_wrong)
        failed = np.flatnonzero(~batch.is_ok)[: self._size - len(self.failed)]
        ids = batch.object_ids.take(pa.array(failed)).to_pylist()
        errors = batch.errors.take(pa.array(failed)).to_pylist()
        for object_id, error in zip(ids, errors, strict=True):
            self.failed.append(FailedGalaxy(str(object_id), error or ""))

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
