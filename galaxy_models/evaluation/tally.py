"""Counts of predictions, a batch at a time, in bounded memory.

This module knows neither labels nor files.
"""

from collections import Counter
from typing import get_args

import numpy as np
import pyarrow.compute as pc

from galaxy_models.errors import FailureReason, failure_reason
from galaxy_models.evaluation.predictions import PredictionBatch, Rows

NUM_CONFIDENCE_BINS = 50
OTHER_REASON = "other"  # whatever jobs.score never writes


class RowTally:
    """Rows and failures, counted, whatever is predicted."""

    def __init__(self) -> None:
        self.num_rows = 0
        self.failed: Counter[str] = Counter()
        """Failed rows by reason."""

    @property
    def num_failed(self) -> int:
        """Rows whose image failed."""
        return self.failed.total()

    def add_rows(self, rows: Rows) -> None:
        """Count the rows of a batch."""
        self.num_rows += len(rows.is_ok)
        if not rows.is_ok.all():
            for text in pc.filter(rows.errors, ~rows.is_ok).to_pylist():
                self.failed[reason_of(text)] += 1


class Tally(RowTally):
    """Classes, confidences and failures, counted.

    Args:
        num_classes: coarse ones.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.confidence_edges = np.linspace(0, 1, NUM_CONFIDENCE_BINS + 1)
        self.confidence_counts = np.zeros((num_classes, NUM_CONFIDENCE_BINS), np.int64)
        """Rows that did not fail by predicted class and bin of confidence; a bin holds
        its upper edge, not its lower."""

    @property
    def class_counts(self) -> list[int]:
        """Rows of each predicted class."""
        return list(map(int, self.confidence_counts.sum(axis=1)))

    def add(self, batch: PredictionBatch) -> None:
        """Count the rows of a batch."""
        self.add_rows(batch)
        is_ok = batch.is_ok
        bins = np.searchsorted(self.confidence_edges, batch.confidence[is_ok]) - 1
        cells = batch.predicted[is_ok] * NUM_CONFIDENCE_BINS + np.maximum(bins, 0)
        counts = np.bincount(cells, minlength=self.confidence_counts.size)
        self.confidence_counts += counts.reshape(self.confidence_counts.shape)


def reason_of(error: str | None) -> str:
    """Take the reason out of a failed row's error; only those that are promised."""
    reason = failure_reason(str(error))
    return reason if reason in get_args(FailureReason) else OTHER_REASON
