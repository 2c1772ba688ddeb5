"""Plots of predicted vote fractions against votes; numbers in, PNG bytes out."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from galaxy_models.evaluation.plots import BLUE, GREY, SIZE_INCHES, png_bytes
from galaxy_models.evaluation.votes import VoteErrors

MAX_POINTS = 20_000  # of a scatter plot; more only make the picture heavy


def errors_plot(errors: VoteErrors, galaxies: str) -> bytes:
    """Draw the error of each question, and that of predicting the mean.

    Args:
        errors: what was measured.
        galaxies: which galaxies these are.
    """
    rows = [*errors.questions, errors.total]
    height = 1.6 + 0.42 * len(rows)
    figure = Figure(figsize=(SIZE_INCHES[0] + 1, height), layout="constrained")
    panel = figure.subplots()
    places = np.arange(len(rows))
    panel.barh(places - 0.2, [one.error for one in rows], 0.4, color=BLUE)
    panel.barh(places + 0.2, [one.error_of_mean for one in rows], 0.4, color=GREY)
    panel.set_yticks(places, [one.name for one in rows], parse_math=False)
    panel.invert_yaxis()
    panel.legend(["predicted", "the mean for every galaxy"])
    panel.set_xlabel("mean error of a vote fraction, weighted by voters")
    panel.set_title(f"{errors.total.num_galaxies:,} {galaxies}")
    return png_bytes(figure)


def fractions_plot(
    fractions: NDArray[np.floating], observed: NDArray[np.floating], title: str
) -> bytes:
    """Draw predicted against observed fractions.

    Args:
        fractions: predicted, shape (points,), 0 to 1.
        observed: of the same shape.
        title: what they are.
    """
    step = max(1, -(-len(fractions) // MAX_POINTS))
    figure = Figure(figsize=(5.2, 5.2), layout="constrained")
    panel = figure.subplots()
    panel.plot([0, 1], [0, 1], "--", color=GREY)
    panel.plot(observed[::step], fractions[::step], ".", ms=3, alpha=0.35, color=BLUE)
    panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    panel.set(xlabel="fraction of votes", ylabel="predicted fraction")
    panel.set_title(title, parse_math=False)
    return png_bytes(figure)
