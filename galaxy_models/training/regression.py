"""How well a regression predicts the validation galaxies.

Knows tables of predictions; it knows neither networks nor Ray.
"""

import logging

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from galaxy_models.models.heads import RegressionHead

logger = logging.getLogger(__name__)

DEVIATION_BOUNDS = (0.05, 20.0)


def regression_metrics(
    predictions: DataFrame, head: RegressionHead
) -> dict[str, float]:
    """Summarise predicted numbers.

    Args:
        predictions: columns of the numbers, and of the network's outputs.
        head: what these mean.

    Returns:
        ``val_rms_<target>`` in its unit, and ``val_r2_<target>``: the share of the
        variance that is explained, 1 at best.
    """
    found: dict[str, float] = {}
    truth, means, _ = _arrays(predictions, head)
    for index, target in enumerate(head.targets):
        is_known = ~np.isnan(truth[:, index])
        if not is_known.any():
            continue
        known = truth[is_known, index]
        squared = float(np.mean((means[is_known, index] - known) ** 2))
        found[f"val_rms_{target.name}"] = squared**0.5
        if known.var() > 0:
            found[f"val_r2_{target.name}"] = 1 - squared / float(known.var())
    return found


def fitted_deviation(predictions: DataFrame, head: RegressionHead) -> float:
    """Find what standard deviations must be multiplied by to mean what they say.

    Returns:
        The root of the mean squared difference over the standard deviation, within
        ``DEVIATION_BOUNDS``; 1 without galaxies.
    """
    truth, means, deviations = _arrays(predictions, head)
    scores = ((truth - means) / deviations) ** 2
    scores = scores[~np.isnan(scores)]
    if not len(scores):
        return 1.0
    factor = float(np.clip(np.sqrt(scores.mean()), *DEVIATION_BOUNDS))
    logger.info("standard deviations are multiplied by %.3f", factor)
    return factor


def _arrays(
    predictions: DataFrame, head: RegressionHead
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Give numbers, their means and standard deviations: (galaxies, targets) each."""
    names = [target.name for target in head.targets]
    outputs = predictions[list(head.output_names)].to_numpy(np.float32)
    said = head.calibrated(outputs, 1.0).astype(float)
    truth = predictions[names].to_numpy(float)
    return truth, said[:, : len(names)], said[:, len(names) :]
