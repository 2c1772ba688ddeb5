"""Joins predictions with labels and computes every metric of the pairs.

Memory holds 8 bytes a labelled galaxy and 4 for each of its classes, twice as much
while the batches become one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galaxy_models.evaluation import metrics
from galaxy_models.evaluation.id_join import IdJoin
from galaxy_models.evaluation.labels import UNUSED, Labels
from galaxy_models.evaluation.predictions import PredictionBatch
from galaxy_models.tables.id_index import NOT_FOUND


class Join(IdJoin[Labels]):
    """Rows of predictions that have a label, as they come.

    Args:
        labels: what to look for.
        num_classes: coarse ones.
        predictions_uri: for messages.
    """

    def __init__(self, labels: Labels, num_classes: int, predictions_uri: str) -> None:
        super().__init__(labels, predictions_uri)
        self._true: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        self._probabilities = [np.empty((0, num_classes), np.float32)]
        self._plausible: list[NDArray[np.bool_]] = []

    def add(self, batch: PredictionBatch) -> NDArray[np.int64]:
        """Look for the labels of a batch.

        Returns:
            int64, shape (rows,): index of the label's class, ``UNUSED`` where none.

        Raises:
            PredictionsError: a galaxy that has a label is there more than once.
        """
        places = self.find(batch)
        is_found = places != NOT_FOUND
        true = np.where(is_found, self.labels.classes[places], UNUSED).astype(np.int64)
        is_used = is_found & batch.is_ok
        self._true.append(true[is_used])
        self._probabilities.append(batch.probabilities[is_used])
        if batch.plausible is not None:
            self._plausible.append(batch.plausible[is_used])
        return true

    def rows(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Give the classes of the labels and the probabilities, row by row."""
        return np.concatenate(self._true), np.concatenate(self._probabilities)

    def plausible(self) -> NDArray[np.bool_] | None:
        """Give the plausible classes, row by row; None if they were not predicted."""
        return np.concatenate(self._plausible) if self._plausible else None


@dataclass(frozen=True)
class PlausibleSets:
    """How well lists of plausible classes keep their promise."""

    coverage: float
    """Share of galaxies whose label is among their plausible classes."""

    coverage_interval: tuple[float, float]
    """Wilson's, 95 %."""

    mean_size: float
    """Classes of a list."""


@dataclass(frozen=True)
class Agreement:
    """How well predictions agree with labels; for units see ``metrics``."""

    num: int
    confusion: NDArray[np.int64]
    accuracy: float
    accuracy_interval: tuple[float, float]
    """Wilson's, 95 %."""

    balanced_accuracy: float
    macro_f1: float
    expected_calibration_error: float
    brier_score: float
    negative_log_likelihood: float
    classes: metrics.ClassScores
    reliability: metrics.Reliability
    coverage: metrics.Coverage
    plausible: PlausibleSets | None = None
    """None where no plausible classes were predicted."""


def measure(
    true: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    num_bins: int,
    plausible: NDArray[np.bool_] | None = None,
) -> Agreement:
    """Compute every metric.

    Args:
        true: shape (galaxies,), index of the label's class.
        probabilities: float32, shape (galaxies, classes).
        num_bins: bins of confidence.
        plausible: bool, shape (galaxies, classes), if it was predicted.
    """
    predicted = probabilities.argmax(axis=1)
    confidence, is_right = probabilities.max(axis=1), predicted == true
    confusion = metrics.confusion_matrix(true, predicted, probabilities.shape[1])
    bins = metrics.reliability(confidence, is_right, num_bins)
    return Agreement(
        num=len(true),
        confusion=confusion,
        accuracy=metrics.accuracy(confusion),
        accuracy_interval=metrics.accuracy_interval(int(is_right.sum()), len(true)),
        balanced_accuracy=metrics.balanced_accuracy(confusion),
        macro_f1=metrics.macro_f1(confusion),
        expected_calibration_error=metrics.expected_calibration_error(bins),
        brier_score=metrics.brier_score(probabilities, true),
        negative_log_likelihood=metrics.negative_log_likelihood(probabilities, true),
        classes=metrics.class_scores(confusion),
        reliability=bins,
        coverage=metrics.coverage_curve(confidence, is_right),
        plausible=None if plausible is None else measure_sets(true, plausible),
    )


def measure_sets(
    true: NDArray[np.int64], plausible: NDArray[np.bool_]
) -> PlausibleSets:
    """Count how often the label is among the plausible classes.

    Args:
        true: shape (galaxies,), index of the label's class.
        plausible: bool, shape (galaxies, classes).
    """
    num_held = int(plausible[np.arange(len(true)), true].sum())
    return PlausibleSets(
        coverage=num_held / len(true),
        coverage_interval=metrics.accuracy_interval(num_held, len(true)),
        mean_size=float(plausible.sum(axis=1).mean()),
    )
