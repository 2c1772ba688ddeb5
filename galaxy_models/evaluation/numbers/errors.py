"""How well predicted numbers agree with measured ones, and what their deviations mean.

Pure functions of arrays; this module knows neither files nor pictures. Errors are what
was predicted less what was measured.

Source:
    NMAD: Hoaglin, Mosteller & Tukey 1983; ranks (PIT): Dawid 1984, JRSS A 147, 278.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from galaxy_models.evaluation.ranks import Posterior, posterior_of
from galaxy_models.tables.number_columns import PredictedNumber

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class NumberErrors:
    """Of one number, in its unit where nothing else is said; NaN where undefined."""

    number: PredictedNumber
    num: int
    """Galaxies compared."""

    bias: float = math.nan
    """Mean error."""

    bias_error: float = math.nan
    """Standard error of the bias."""

    median_error: float = math.nan
    mean_absolute_error: float = math.nan
    rms_error: float = math.nan
    rms_error_of_mean: float = math.nan
    """If the mean of these galaxies were predicted for each."""

    nmad: float = math.nan
    """Robust scatter: 1.4826 times the median distance from the median error."""

    r2: float = math.nan
    """Share of the variance that is explained: 1 at best, 0 for the mean."""

    spearman: float = math.nan
    """Rank correlation, -1 to 1."""

    within_1_sd: float = math.nan
    """Share of galaxies whose error is at most the predicted standard deviation."""

    within_2_sd: float = math.nan
    negative_log_likelihood: float = math.nan
    """Mean of a galaxy (nats), of densities per unit of the number."""

    posterior: Posterior | None = None
    """None without galaxies."""


def measure_number(
    number: PredictedNumber, truths: Numbers, means: Numbers, deviations: Numbers
) -> NumberErrors:
    """Compare a number's predictions with what was measured.

    Args:
        number: what it is.
        truths: measured, finite, shape (galaxies,).
        means: predicted, of the same shape.
        deviations: predicted standard deviations, above 0, of the same shape.
    """
    num = len(truths)
    if not num:
        return NumberErrors(number, 0)
    errors = means - truths
    rms_error = math.sqrt(np.mean(errors**2))
    rms_error_of_mean = float(truths.std())
    scores = np.abs(errors) / deviations
    normal = stats.norm(means, deviations)
    return NumberErrors(
        number=number,
        num=num,
        bias=float(errors.mean()),
        bias_error=float(errors.std(ddof=1)) / math.sqrt(num) if num > 1 else math.nan,
        median_error=float(np.median(errors)),
        mean_absolute_error=float(np.abs(errors).mean()),
        rms_error=rms_error,
        rms_error_of_mean=rms_error_of_mean,
        nmad=float(stats.median_abs_deviation(errors, scale="normal")),
        r2=1 - (rms_error / rms_error_of_mean) ** 2 if rms_error_of_mean else math.nan,
        spearman=_rank_correlation(truths, means),
        within_1_sd=float(np.mean(scores <= 1)),
        within_2_sd=float(np.mean(scores <= 2)),
        negative_log_likelihood=-float(normal.logpdf(truths).mean()),
        posterior=posterior_of(normal.cdf(truths)),
    )


def _rank_correlation(truths: Numbers, means: Numbers) -> float:
    """Give Spearman's; NaN where one of them is the same for all galaxies."""
    if np.ptp(truths) == 0 or np.ptp(means) == 0:
        return math.nan
    return float(stats.spearmanr(truths, means).statistic)
