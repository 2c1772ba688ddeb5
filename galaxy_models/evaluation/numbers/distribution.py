"""What was predicted, in bounded memory: extremes of all rows, and a sample of them.

Memory holds ``SAMPLE_SIZE`` rows. This module knows neither labels nor files.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galaxy_models.tables.predictions import NumberRows

SAMPLE_SIZE = 100_000  # rows; percentiles are then good to 0.2 % of the galaxies
PERCENTILES = (5, 16, 50, 84, 95)


@dataclass(frozen=True)
class Distribution:
    """Of one number's predictions, in its unit."""

    minimum: float
    maximum: float
    mean: float
    means: NDArray[np.float32]
    """Expected values of the sample, shape (galaxies,)."""

    deviations: NDArray[np.float32]
    """Standard deviations of the same galaxies."""

    def percentiles(self) -> dict[int, float]:
        """Give those of the expected values, by ``PERCENTILES``."""
        found = np.percentile(self.means, PERCENTILES).tolist()
        return dict(zip(PERCENTILES, found, strict=True))

    @property
    def median_deviation(self) -> float:
        """Median of the standard deviations."""
        return float(np.median(self.deviations))


class Distributions:
    """The predictions of all numbers, as they come.

    Args:
        num_numbers: how many numbers there are.
        size: rows of the sample; every row has the same chance to be in it, and up to
            so many all are.
    """

    def __init__(self, num_numbers: int, size: int = SAMPLE_SIZE) -> None:
        self._size = size
        self._rng = np.random.default_rng(0)
        self._keys = np.empty(0)
        self._sample = np.empty((0, 2 * num_numbers), np.float32)
        self._minima = np.full(num_numbers, np.inf)
        self._maxima = np.full(num_numbers, -np.inf)
        self._sums = np.zeros(num_numbers)
        self._num = 0

    def add(self, rows: NumberRows) -> None:
        """Take in a batch; failed rows count in nothing."""
        means = rows.means[rows.is_ok]
        if not len(means):
            return
        self._num += len(means)
        self._sums += means.sum(axis=0, dtype=float)
        self._minima = np.minimum(self._minima, means.min(axis=0))
        self._maxima = np.maximum(self._maxima, means.max(axis=0))
        self._draw(np.concatenate([means, rows.deviations[rows.is_ok]], axis=1))

    def _draw(self, rows: NDArray[np.float32]) -> None:
        """Keep the rows of the lowest random keys so far, in their order."""
        keys = self._rng.random(len(rows))
        if len(self._keys) == self._size:
            is_lower = keys < self._keys.max()
            rows, keys = rows[is_lower], keys[is_lower]
        keys = np.concatenate([self._keys, keys])
        rows = np.concatenate([self._sample, rows])
        if len(keys) > self._size:
            kept = np.sort(np.argpartition(keys, self._size)[: self._size])
            keys, rows = keys[kept], rows[kept]
        self._keys, self._sample = keys, rows

    def conclude(self) -> tuple[Distribution, ...]:
        """Give the distribution of each number; at least one row was no failure."""
        means, deviations = np.split(self._sample, 2, axis=1)
        return tuple(
            Distribution(
                minimum=float(self._minima[i]),
                maximum=float(self._maxima[i]),
                mean=float(self._sums[i] / self._num),
                means=means[:, i],
                deviations=deviations[:, i],
            )
            for i in range(len(self._sums))
        )
