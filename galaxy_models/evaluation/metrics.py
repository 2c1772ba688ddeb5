"""How well predictions agree with labels: pure functions of NumPy arrays.

Knows numbers only; classes are indices. Shapes: ``labels`` and ``predicted`` are int,
(galaxies,); ``confidence`` is float, (galaxies,), the probability of the predicted
class; ``confusion`` is int64, (classes, classes), true classes in rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.integer]
Floats = NDArray[np.floating]

LOWEST_PROBABILITY = 1e-7  # Keras' own; an 8-bit softmax may be exactly 0
NUM_COVERAGE_POINTS = 100


@dataclass(frozen=True)
class ClassScores:
    """Numbers a class, each float64 of shape (classes,), 0 to 1.

    All are NaN where no galaxy is labelled as the class; precision is NaN too where
    none is predicted to be.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy in bins of confidence; arrays of shape (bins,)."""

    edges: NDArray[np.float64]
    """Shape (bins + 1,), 0 to 1; a bin holds its upper edge, not its lower."""

    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    """Mean of the bin; NaN where it is empty."""

    accuracy: NDArray[np.float64]
    """Share of right predictions in the bin; NaN where it is empty."""


@dataclass(frozen=True)
class Coverage:
    """Accuracy if only the most confident are kept; arrays of shape (points,)."""

    coverage: NDArray[np.float64]
    """Share of galaxies that are kept, ascending to 1."""

    accuracy: NDArray[np.float64]
    """Share of right predictions among them."""

    threshold: NDArray[np.float64]
    """Lowest confidence among them."""


def confusion_matrix(
    labels: Indices, predicted: Indices, num_classes: int
) -> NDArray[np.int64]:
    """Count galaxies by true class (rows) and predicted class (columns)."""
    cells = np.asarray(labels, np.int64) * num_classes + predicted
    counts = np.bincount(cells, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def accuracy(confusion: NDArray[np.int64]) -> float:
    """Share of galaxies on the diagonal, 0 to 1; NaN for an empty sample.

    Args:
        confusion: int64, shape (classes, classes), true classes in rows.
    """
    total = int(confusion.sum())
    return int(np.trace(confusion)) / total if total else float("nan")


def accuracy_interval(
    num_right: int, num: int, level: float = 0.95
) -> tuple[float, float]:
    """Wilson's score interval of a share.

    Returns:
        Lower and upper end, 0 to 1; NaN both for an empty sample.

    Source:
        Wilson 1927, J. Am. Stat. Assoc. 22, 209 (without correction of continuity).
    """
    if not num:
        return float("nan"), float("nan")
    from scipy.stats import binomtest  # here: training needs the counts only

    interval = binomtest(num_right, num).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


def class_scores(confusion: NDArray[np.int64]) -> ClassScores:
    """Precision, recall and F1 of each class.

    F1 is 2 · right / (labelled + predicted), so it is 0 for a class that occurs and is
    never predicted.

    Args:
        confusion: int64, shape (classes, classes), true classes in rows.
    """
    right = np.diag(confusion).astype(np.float64)
    support, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    occurs = support > 0
    return ClassScores(
        precision=_share(right, np.where(occurs, predicted, 0)),
        recall=_share(right, support),
        f1=_share(2 * right, np.where(occurs, support + predicted, 0)),
    )


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """Mean F1 of the classes that occur among the labels; NaN for an empty sample.

    Args:
        confusion: int64, shape (classes, classes), true classes in rows.
    """
    return _mean(class_scores(confusion).f1)


def balanced_accuracy(confusion: NDArray[np.int64]) -> float:
    """Mean recall of the classes that occur among the labels; NaN for an empty one.

    Args:
        confusion: int64, shape (classes, classes), true classes in rows.
    """
    return _mean(class_scores(confusion).recall)


def reliability(
    confidence: Floats, is_right: NDArray[np.bool_], num_bins: int = 15
) -> Reliability:
    """Compare confidence with accuracy in equal-width bins on (0, 1].

    Args:
        confidence: probability of the predicted class.
        is_right: shape (galaxies,), whether that class is the label.
        num_bins: 1 or more.

    Source:
        Guo et al. 2017, arXiv:1706.04599, section 2.
    """
    edges = np.linspace(0, 1, num_bins + 1)
    bins = np.clip(np.searchsorted(edges, confidence, "left") - 1, 0, num_bins - 1)
    counts = np.bincount(bins, minlength=num_bins)
    sums = np.bincount(bins, np.asarray(confidence, np.float64), num_bins)
    rights = np.bincount(bins, np.asarray(is_right, np.float64), num_bins)
    return Reliability(edges, counts, _share(sums, counts), _share(rights, counts))


def expected_calibration_error(bins: Reliability) -> float:
    """Gap between confidence and accuracy, weighted by galaxies.

    Returns:
        0 (calibrated) to 1, unitless; NaN for an empty sample.

    Source:
        Guo et al. 2017, arXiv:1706.04599, eq. 3.
    """
    if not bins.counts.sum():
        return float("nan")
    gaps = np.abs(bins.accuracy - bins.confidence)
    return float(np.nansum(gaps * bins.counts) / bins.counts.sum())


def brier_score(probabilities: Floats, labels: Indices) -> float:
    """Mean squared distance of the probabilities from the labels' one-hot vectors.

    Args:
        probabilities: shape (galaxies, classes), rows sum to 1.
        labels: indices of the true classes.

    Returns:
        0 (certain and right) to 2 (certain and wrong); NaN for an empty sample.

    Source:
        Brier 1950, Mon. Weather Rev. 78, 1, eq. 2.
    """
    if not len(labels):
        return float("nan")
    squares = np.einsum("ij,ij->i", probabilities, probabilities, dtype=np.float64)
    of_label = _of_label(probabilities, labels)
    return float(np.mean(squares - 2 * of_label + 1))


def negative_log_likelihood(probabilities: Floats, labels: Indices) -> float:
    """Mean of -ln p of the true class (nats), p being at least 1e-7.

    Args:
        probabilities: shape (galaxies, classes), rows sum to 1.
        labels: shape (galaxies,), index of the true class.

    Returns:
        0 or more; NaN for an empty sample.
    """
    if not len(labels):
        return float("nan")
    of_label = np.maximum(_of_label(probabilities, labels), LOWEST_PROBABILITY)
    return float(-np.mean(np.log(np.minimum(of_label, 1))))


def coverage_curve(confidence: Floats, is_right: NDArray[np.bool_]) -> Coverage:
    """Accuracy of the most confident galaxies, for a growing share of them.

    Galaxies of equal confidence are added together: no threshold separates them.

    Args:
        confidence: probability of the predicted class.
        is_right: shape (galaxies,), whether that class is the label.

    Returns:
        At most ``NUM_COVERAGE_POINTS`` points; none for an empty sample.
    """
    order = np.argsort(-confidence, kind="stable")
    falling = np.asarray(confidence, np.float64)[order]
    last_of_ties = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    last_of_ties = last_of_ties[: len(falling)]
    wanted = np.linspace(0, len(falling), NUM_COVERAGE_POINTS + 1)[1:] - 1
    nearest = np.searchsorted(last_of_ties, np.ceil(wanted))
    kept = last_of_ties[np.unique(nearest)] if len(falling) else last_of_ties
    rights = np.cumsum(np.asarray(is_right, np.int64)[order])
    return Coverage(
        (kept + 1) / max(len(falling), 1), rights[kept] / (kept + 1), falling[kept]
    )


def _of_label(probabilities: Floats, labels: Indices) -> NDArray[np.float64]:
    chosen = np.take_along_axis(probabilities, np.asarray(labels)[:, None], axis=1)
    return np.asarray(chosen[:, 0], np.float64)


def _share(
    part: Floats | NDArray[np.int64], whole: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Divide; NaN where the divisor is 0."""
    nothing = np.full(len(whole), np.nan)
    return np.asarray(np.divide(part, whole, out=nothing, where=whole > 0))


def _mean(values: NDArray[np.float64]) -> float:
    """Average of what is not NaN; NaN if nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
