"""Probabilities that mean what they say: temperature scaling.

A network trained to the end is surer of itself than it is right. One number, the
temperature T, mends that: ``softmax(logits / T)``, with T chosen so that galaxies that
the network did not learn from are as likely as can be. T > 1 makes predictions less
sure, T < 1 surer; which class comes first does not change.

Knows arrays only; it knows neither engines nor model folders.

Source:
    Guo et al. 2017, arXiv:1706.04599, section 4.2.
"""

import numpy as np
from numpy.typing import NDArray

TEMPERATURE_BOUNDS = (0.05, 20.0)
"""Where a fitted temperature is looked for; networks of the paper needed 0.9 to 3."""

SMALLEST = float(np.finfo(np.float32).tiny)  # a probability of 0 was rounded to 0


def fit_temperature(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> float:
    """Find the temperature under which the labels are most likely.

    Args:
        probabilities: float32, shape (galaxies, classes), rows sum to 1: the network's
            softmax, as it is.
        labels: int64, shape (galaxies,), index of the true class.

    Returns:
        The temperature, within ``TEMPERATURE_BOUNDS``; its upper end says that the
        network knows less than a guess. Exactly 1 if no galaxy is mistaken, or there
        is none: such a sample does not tell how often the network errs, and any
        lower temperature would seem better still.

    Raises:
        ValueError: shapes disagree, a label is no class's index, or a probability is
            NaN.

    Example:
        A network that is 99 % confident, and correct for 3 of 4 galaxies:

        >>> probabilities = np.array([[0.99, 0.01]] * 4, np.float32)
        >>> temperature = fit_temperature(probabilities, np.array([0, 0, 0, 1]))
        >>> round(temperature, 2)
        4.18
        >>> round(float(with_temperature(probabilities, temperature)[0, 0]), 2)
        0.75
    """
    _check_sample(probabilities, labels)
    of_label = np.take_along_axis(probabilities, labels[:, None], axis=1)
    if (of_label >= probabilities).all():
        return 1.0
    from scipy.optimize import minimize_scalar  # here: scoring never needs it

    # In 1 / T the likelihood is convex, so it has one minimum in log T as well.
    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(
            probabilities, labels, float(np.exp(log_t))
        ),
        bounds=np.log(TEMPERATURE_BOUNDS),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(np.exp(found.x))


def with_temperature(
    probabilities: NDArray[np.float32], temperature: float
) -> NDArray[np.float32]:
    """Soften or sharpen a softmax, as if its logits had been divided.

    Args:
        probabilities: float32, shape (galaxies, classes), rows sum to 1. A 0 counts as
            the smallest normal float32. A row that holds a NaN becomes NaN.
        temperature: above 0; 1 gives the same bits back.

    Returns:
        float32, shape (galaxies, classes); rows sum to 1. The classes of a row keep
        their order, but for ties by rounding.
    """
    if temperature == 1:
        return probabilities
    return np.exp(_log_softmax(probabilities, temperature)).astype(np.float32)


def negative_log_likelihood(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    temperature: float = 1.0,
) -> float:
    """Average a galaxy's surprise at its label.

    Args:
        probabilities: as for ``with_temperature``.
        labels: int64, shape (galaxies,), index of the true class.
        temperature: applied first.

    Returns:
        0 (certain and right) upward, in nats a galaxy; NaN for an empty sample, or
        where a probability is.
    """
    if not len(labels):
        return float("nan")
    logs = _log_softmax(probabilities, temperature)
    return float(-np.take_along_axis(logs, labels[:, None], axis=1).mean())


def _log_softmax(
    probabilities: NDArray[np.float32], temperature: float
) -> NDArray[np.float64]:
    """Logarithms of the probabilities under a temperature; finite, also of zeros."""
    logits: NDArray[np.float64]
    logits = np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))
    logits = (logits - logits.max(axis=1, keepdims=True)) / temperature
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return logits


def _check_sample(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64]
) -> None:
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(
            f"probabilities of shape {probabilities.shape} and labels of shape "
            f"{labels.shape}: one row and one label a galaxy."
        )
    num_classes = probabilities.shape[1]
    if ((labels < 0) | (labels >= num_classes)).any():
        raise ValueError(
            f"labels {labels.min()} to {labels.max()}: there are {num_classes} classes."
        )
    if np.isnan(probabilities).any():
        raise ValueError("a probability is NaN.")
