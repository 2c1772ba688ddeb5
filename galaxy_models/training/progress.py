"""Lines while galaxies are decoded, and while an epoch of them is learned from.

An epoch of a large catalog takes minutes; so does decoding it. This module knows
counts and seconds; it knows neither Ray nor networks.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from galaxy_models.chunks.workers import CountsLog
from galaxy_models.cluster.progress import Progress

INTERVAL_S = 10.0  # between two lines


class DecodingLog(CountsLog, Protocol):
    """Where lines and counts go while galaxies are decoded, wherever that is."""

    def say(self, line: str) -> None:
        """Write a line into the driver's log."""
        ...


class TrainingLog(Protocol):
    """Where a worker's lines and figures go, wherever it runs."""

    def say(self, line: str) -> None:
        """Write a line into the driver's log."""
        ...

    def show(self, figures: Mapping[str, float]) -> None:
        """Give the latest figures; those of the same name are replaced."""
        ...


class DecodeProgress:
    """Logs how many galaxies are decoded, until all are.

    Args:
        num_galaxies: of both sides.
    """

    def __init__(self, num_galaxies: int) -> None:
        self._num_galaxies = num_galaxies
        self._progress = Progress(num_galaxies, 0, INTERVAL_S, "galaxies decoded")

    def __call__(self, counts: Counter[str]) -> None:
        """Log a line if one is due.

        Args:
            counts: ``rows`` and ``failed`` so far.
        """
        if counts["rows"] < self._num_galaxies:
            self._progress(counts)


class EpochProgress:
    """Says how an epoch of training stands.

    Args:
        say: takes a line.
        epoch: from 1.
        num_epochs: of the whole training.
        num_galaxies: of an epoch.
        figure: what is summed next to the loss.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        epoch: int,
        num_epochs: int,
        num_galaxies: int,
        figure: str = "accuracy",
    ) -> None:
        self._say = say
        self._epoch = epoch
        self._num_epochs = num_epochs
        self._num_galaxies = num_galaxies
        self._figure = figure
        self._started_s = self._last_line_s = time.monotonic()

    def __call__(self, sums: NDArray[np.float64]) -> None:
        """Say a line if one is due.

        Args:
            sums: summed loss, summed figures and galaxies of the epoch so far.
        """
        now_s = time.monotonic()
        if now_s - self._last_line_s < INTERVAL_S:
            return
        self._last_line_s = now_s
        loss, figures, done = sums
        rate = done / (now_s - self._started_s)
        epochs_left = self._num_epochs - self._epoch
        left = self._num_galaxies * (1 + epochs_left) - done
        self._say(
            f"epoch {self._epoch}/{self._num_epochs}: {done:.0f} of "
            f"{self._num_galaxies} galaxies ({100 * done / self._num_galaxies:.0f} %), "
            f"loss {loss / done:.4f} {self._figure} {figures / done:.3f}, {rate:.0f} "
            f"images/s, {left / rate:.0f} s left"
        )
