"""Plots of predicted numbers; numbers in, PNG bytes out."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from galaxy_models.evaluation import plots
from galaxy_models.evaluation.layout import Plot
from galaxy_models.evaluation.number_texts import measure, share
from galaxy_models.evaluation.numbers.distribution import Distribution
from galaxy_models.evaluation.numbers.errors import NumberErrors, Numbers
from galaxy_models.evaluation.numbers.join import NumbersPart
from galaxy_models.evaluation.plots import BLUE, GREY, ORANGE, SIZE_INCHES, png_bytes
from galaxy_models.tables.number_columns import PredictedNumber

MAX_DOTS = 3_000  # of more galaxies the density is drawn
SHOWN_PERCENT = (0.1, 99.9)  # of the galaxies; others are drawn at the edge
MARGIN = 0.05  # of the range, on either side
NUM_BINS = 50
NUM_RUNNING_BINS = 12  # of equal numbers of galaxies, for the running median
LEAST_IN_BIN = 10  # galaxies
MAX_NAME_LENGTH = 60  # characters of a number's name in that of a file


def number_plots(
    distributions: Sequence[Distribution],
    numbers: Sequence[PredictedNumber],
    part: NumbersPart | None,
) -> Iterator[Plot]:
    """Draw what there is to draw, number by number.

    Args:
        distributions: of what was predicted, by number.
        numbers: what they are.
        part: None without labels.
    """
    for index, (number, name) in enumerate(
        zip(numbers, file_names(numbers), strict=True)
    ):
        if part is not None and part.errors[index].num:
            is_known = ~np.isnan(part.truths[:, index])
            truths, means = (
                array[is_known, index] for array in (part.truths, part.means)
            )
            yield from _error_plots(part.errors[index], name, truths, means)
        yield Plot(
            f"distribution_{name}",
            f"Histograms of predicted {number.name} and of its standard deviation",
            distribution_plot(distributions[index], number),
        )


def _error_plots(
    errors: NumberErrors, name: str, truths: Numbers, means: Numbers
) -> Iterator[Plot]:
    number, posterior = errors.number, errors.posterior
    assert posterior is not None  # as there are galaxies
    yield Plot(
        f"predicted_against_true_{name}",
        f"Predicted {number.name} against the labels, with the line of equality",
        truth_plot(errors, truths, means),
    )
    yield Plot(
        f"errors_{name}",
        f"Error of {number.name} against its predicted value, with the running median",
        error_plot(number, truths, means),
    )
    yield Plot(
        f"ranks_{name}",
        f"Where labels lie in the distributions that were predicted for {number.name}; "
        "flat if these mean what they say",
        plots.ranks_plot(posterior, number.name, "density of galaxies"),
    )


def file_names(numbers: Sequence[PredictedNumber]) -> list[str]:
    """Give each number a name that a file may have, whatever its column is called."""
    names = [re.sub(r"[^\w-]+", "_", one.name)[:MAX_NAME_LENGTH] for one in numbers]
    is_unique = len({name.casefold() for name in names}) == len(names)
    if is_unique:
        return names
    return [f"{name}_{place}" for place, name in enumerate(names, 1)]


def truth_plot(errors: NumberErrors, truths: Numbers, means: Numbers) -> bytes:
    """Draw predicted against measured numbers, with the line of equality.

    Args:
        errors: for the title.
        truths: measured, shape (galaxies,), at least one.
        means: predicted, of the same shape.
    """
    figure = Figure(figsize=(5.6, 5.2), layout="constrained")
    panel = figure.subplots()
    limits = _limits(np.concatenate([truths, means]))
    _draw_points(figure, panel, (truths, means), (limits, limits))
    panel.plot(limits, limits, "--", color=ORANGE)
    panel.set(xlim=limits, ylim=limits, aspect="equal")
    panel.set_xlabel(f"{errors.number.title}, label", parse_math=False)
    panel.set_ylabel(f"{errors.number.title}, predicted", parse_math=False)
    panel.set_title(
        f"{errors.num:,} galaxies, RMS error {measure(errors.rms_error)}, "
        f"R² {share(errors.r2)}",
        fontsize=10,
    )
    return png_bytes(figure)


def error_plot(number: PredictedNumber, truths: Numbers, means: Numbers) -> bytes:
    """Draw errors against predicted values, with the running median and 16 and 84 %.

    Args:
        number: what it is.
        truths: measured, shape (galaxies,), at least one.
        means: predicted, of the same shape.
    """
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    panel = figure.subplots()
    errors = means - truths
    limits = _limits(means), _limits(errors)
    _draw_points(figure, panel, (means, errors), limits)
    panel.axhline(0, ls="--", color=GREY)
    places, quantiles = _running(means, errors)
    for quantile, style in zip(quantiles.T, ("--", "-", "--"), strict=True):
        panel.plot(places, quantile, style, color=ORANGE, lw=1.5)
    panel.set(xlim=limits[0], ylim=limits[1])
    panel.set_xlabel(f"{number.title}, predicted", parse_math=False)
    panel.set_ylabel("error: predicted less label")
    panel.set_title("Lines: median, 16 % and 84 % of the errors", fontsize=10)
    return png_bytes(figure)


def distribution_plot(distribution: Distribution, number: PredictedNumber) -> bytes:
    """Draw histograms of expected values and of standard deviations."""
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    panels = figure.subplots(1, 2)
    for panel, values, what in (
        (panels[0], distribution.means, "predicted"),
        (panels[1], distribution.deviations, "standard deviation"),
    ):
        limits = _limits(values)
        shares = np.full(len(values), 100 / len(values))
        shown = np.clip(values, *limits)
        panel.hist(shown, NUM_BINS, range=limits, weights=shares, color=BLUE)
        panel.set(xlim=limits, ylabel="share of the galaxies (%)")
        panel.set_xlabel(f"{number.title}, {what}", parse_math=False)
    return png_bytes(figure)


def _limits(values: NDArray[np.floating]) -> tuple[float, float]:
    """Give an axis' ends, which leave some extremes out."""
    low, high = np.percentile(values.astype(float), SHOWN_PERCENT)
    margin = MARGIN * (high - low) or max(abs(high), 1.0) * MARGIN
    return float(low - margin), float(high + margin)


def _draw_points(
    figure: Figure,
    panel: Any,
    points: tuple[Numbers, Numbers],
    limits: tuple[tuple[float, float], tuple[float, float]],
) -> None:
    """Draw galaxies as dots, or where these are many, their density."""
    x, y = (np.clip(values, *ends) for values, ends in zip(points, limits, strict=True))
    if len(x) <= MAX_DOTS:
        panel.plot(x, y, ".", ms=4, alpha=0.4, color=BLUE)
        return
    extent = (*limits[0], *limits[1])
    mesh = panel.hexbin(x, y, gridsize=60, extent=extent, bins="log", mincnt=1)
    figure.colorbar(mesh, ax=panel, label="galaxies", shrink=0.8)


def _running(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    """Give the median of x in bins of it, and 16, 50 and 84 % of y: shape (bins, 3)."""
    num_bins = max(1, min(NUM_RUNNING_BINS, len(x) // LEAST_IN_BIN))
    bins = np.array_split(np.argsort(x, kind="stable"), num_bins)
    places = [np.median(x[rows]) for rows in bins]
    return np.array(places), np.array([np.percentile(y[r], (16, 50, 84)) for r in bins])
