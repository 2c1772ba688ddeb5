"""Where truths lie in the distributions that were predicted for them.

Knows numbers only; votes and measured numbers have their ranks in common.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVELS = (0.5, 0.8, 0.9, 0.95)  # of the central intervals whose coverage is given
NUM_RANK_BINS = 20


@dataclass(frozen=True)
class Posterior:
    """Where truths lie in the distributions that were predicted for them."""

    rank_counts: NDArray[np.float64]
    """Weights of the ranks in equal bins from 0 to 1: flat, if they mean what they say;
    shape (bins,), adding up to 1."""

    coverage: tuple[float, ...]
    """Share of the truths inside the central intervals of ``LEVELS``."""

    def by_level(self) -> dict[float, float]:
        """Give the shares inside by the intervals' levels."""
        return dict(zip(LEVELS, self.coverage, strict=True))


def posterior_of(ranks: NDArray[np.float64]) -> Posterior:
    """Count exact ranks.

    Args:
        ranks: shape (galaxies,), at least one: the predicted probability of a smaller
            value than the true one, 0 to 1.
    """
    counts, _ = np.histogram(ranks, NUM_RANK_BINS, (0, 1))
    distances = np.abs(ranks - 0.5)
    inside = tuple(float(np.mean(distances <= level / 2)) for level in LEVELS)
    return Posterior(counts / len(ranks), inside)
