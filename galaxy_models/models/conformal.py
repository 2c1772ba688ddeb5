"""Plausible classes: sets that hold the truth for a known share of galaxies.

A softmax names one class, however unclear the galaxy. A conformal set names all classes
whose probability reaches a threshold, chosen so that on galaxies that the network did
not learn from the true class is among them for the share ``LEVEL``, and with a promise:
for further galaxies of the same kind it is so on average, whatever the network is like.
Of other galaxies, such as another survey's, it promises nothing.

Knows arrays only.

Source:
    Sadinle et al. 2019, J. Am. Stat. Assoc. 114, 223; Angelopoulos & Bates 2023,
    Found. Trends Mach. Learn. 16, 494, section 1.
"""

import math

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.9  # share of galaxies whose true class is among the plausible ones


def fit_threshold(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], level: float = LEVEL
) -> float:
    """Find the probability from which on a class is plausible.

    Args:
        probabilities: calibrated, float32, shape (galaxies, classes), of galaxies that
            the network did not learn from.
        labels: int64, shape (galaxies,), index of the true class.
        level: share of galaxies whose true class shall be plausible, below 1.

    Returns:
        0 to 1; 0, by which every class is plausible, where there are too few galaxies
        to promise more (under 9 for a level of 0.9).

    Example:
        >>> probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3]], np.float32)
        >>> round(fit_threshold(probabilities, np.array([0, 1, 0]), level=0.5), 2)
        0.7
    """
    of_label = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    num_below = math.floor((1 - level) * (len(labels) + 1) + 1e-9)
    if num_below < 1:
        return 0.0
    return float(np.sort(of_label)[num_below - 1])


def plausible_classes(
    probabilities: NDArray[np.float32], threshold: float
) -> NDArray[np.bool_]:
    """Say which classes are plausible; the most probable one always is.

    Args:
        probabilities: calibrated, shape (galaxies, classes).
        threshold: what ``fit_threshold`` found.

    Returns:
        bool, shape (galaxies, classes).
    """
    is_plausible = probabilities >= np.float32(threshold)
    best = probabilities.argmax(axis=1)[:, None]
    np.put_along_axis(is_plausible, best, values=True, axis=1)
    return is_plausible
