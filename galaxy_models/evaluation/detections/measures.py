"""Completeness, purity, positions and classes of matched detections.

Knows tables and matches; it knows neither files nor pictures.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galaxy_models.evaluation.detections.matching import NONE, Matches
from galaxy_models.evaluation.detections.tables import GALAXY

MAGNITUDE_STEP = 0.5
SIZE_EDGES_PX = np.array([0.0, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 20, 30, np.inf])
SNR_EDGES = np.array([0, 3, 5, 7, 10, 15, 20, 30, 50, 100, 200, np.inf])
LIMITS = (0.5, 0.95)
MIN_IN_BIN = 5  # of sources, below which a bin decides no limit
BRIGHT_R = 20.0  # magnitude down to which positions are judged, if there are any


@dataclass(frozen=True)
class Binned:
    """A share in bins of something."""

    edges: NDArray[np.float64]
    """Shape (bins + 1,)."""

    num: NDArray[np.int64]
    """Sources in each bin."""

    num_good: NDArray[np.int64]
    """Those found, or those that are true."""

    @property
    def share(self) -> NDArray[np.float64]:
        """NaN where a bin is empty."""
        with np.errstate(invalid="ignore"):
            share: NDArray[np.float64] = self.num_good / self.num
        return share

    @property
    def middles(self) -> NDArray[np.float64]:
        """Of the bins; of one without an end its other edge."""
        low, high = self.edges[:-1], self.edges[1:]
        return np.where(np.isfinite(high), (low + high) / 2, low)


def binned(
    values: NDArray[np.float64],
    is_good: NDArray[np.bool_],
    edges: NDArray[np.float64],
) -> Binned:
    """Count by bins; what has no value is left out."""
    num, _ = np.histogram(values[np.isfinite(values)], edges)
    good, _ = np.histogram(values[is_good & np.isfinite(values)], edges)
    return Binned(edges, num, good)


def magnitude_edges(magnitudes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bins of half a magnitude that hold all values; none without any."""
    known = magnitudes[np.isfinite(magnitudes)]
    if not len(known):
        return np.zeros(1)
    low = np.floor(known.min() / MAGNITUDE_STEP)
    high = np.floor(known.max() / MAGNITUDE_STEP) + 1
    edges: NDArray[np.float64] = np.arange(low, high + 1) * MAGNITUDE_STEP
    return edges


def faint_limit(completeness: Binned, share: float) -> float:
    """Magnitude at which completeness falls below a share; NaN if it never does.

    From the bright end, between the middles of the last bin above and the first below.
    """
    is_full = completeness.num >= MIN_IN_BIN
    middles, shares = completeness.middles[is_full], completeness.share[is_full]
    below = np.flatnonzero(shares < share)
    if not len(below) or below[0] == 0:
        return np.nan
    last = below[0] - 1
    return float(np.interp(-share, -shares[last : last + 2], middles[last : last + 2]))


@dataclass(frozen=True)
class Positions:
    """Distances between detections and true galaxies (px)."""

    num: int
    median: float
    percentile_95: float


def position_errors(truth: pd.DataFrame, matches: Matches) -> Positions:
    """Measure distances of bright galaxies; of all, if no magnitude is known."""
    is_judged = (truth["kind"] == GALAXY).to_numpy() & (matches.of_truth != NONE)
    magnitudes = truth["r_magnitude"].to_numpy(float)
    if np.isfinite(magnitudes).any():
        is_judged &= magnitudes <= BRIGHT_R
    gaps = matches.distance[is_judged]
    if not len(gaps):
        return Positions(0, np.nan, np.nan)
    return Positions(len(gaps), float(np.median(gaps)), float(np.percentile(gaps, 95)))


def zero_point(found: pd.DataFrame, truth: pd.DataFrame, matches: Matches) -> float:
    """Magnitude of flux 1, the median of matched sources; NaN without magnitudes."""
    is_matched = matches.of_truth != NONE
    flux = found["flux"].to_numpy(float)[matches.of_truth[is_matched]]
    points = truth["r_magnitude"].to_numpy(float)[is_matched] + 2.5 * np.log10(flux)
    return float(np.nanmedian(points)) if np.isfinite(points).any() else np.nan


@dataclass(frozen=True)
class Classes:
    """What galaxies with a label were called, if they are classified."""

    names: tuple[str, ...]
    confusion: NDArray[np.int64]
    """Shape (names, names): labels in rows, predicted classes in columns."""

    num_unclassified: int
    """Found, but too small for a class."""

    @property
    def accuracy(self) -> float:
        """Share of classified ones whose class is the label; NaN without any."""
        total = self.confusion.sum()
        return float(np.trace(self.confusion) / total) if total else np.nan


def count_classes(
    found: pd.DataFrame, truth: pd.DataFrame, matches: Matches
) -> Classes:
    """Compare classes with labels where both are there."""
    labels = truth["label"].to_numpy(object)
    is_judged = (matches.of_truth != NONE) & pd.notna(labels)
    given = found["predicted_class"].to_numpy(object)[matches.of_truth[is_judged]]
    pairs = Counter(zip(labels[is_judged], given, strict=True))
    names = sorted({name for pair in pairs for name in pair if pd.notna(name)})
    index = {name: place for place, name in enumerate(names)}
    confusion = np.zeros((len(names), len(names)), np.int64)
    num_unclassified = 0
    for (label, name), num in pairs.items():
        if pd.isna(name):
            num_unclassified += num
        else:
            confusion[index[label], index[name]] = num
    return Classes(tuple(names), confusion, num_unclassified)
