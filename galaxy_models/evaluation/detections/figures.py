"""Plots of detections against a truth: PNG bytes from numbers."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from galaxy_models.evaluation.detections.measures import BRIGHT_R, Binned
from galaxy_models.evaluation.detections.results import DetectionEvaluation
from galaxy_models.evaluation.metrics import accuracy_interval
from galaxy_models.evaluation.plots import (
    BLUE,
    GREY,
    ORANGE,
    SIZE_INCHES,
    confusion_plot,
    png_bytes,
)

MAGNITUDE, SIZE = "completeness_magnitude", "completeness_size"
PURITY, GALAXY_PURITY = "purity", "purity_galaxies"
POSITIONS, BLENDS, CLASSES = "positions", "blends", "confusion_matrix"
SIZE_TICKS_PX = (2, 3, 5, 10, 20, 30)
MAX_POSITION_PX = 2.0  # shown; the rest is in the last bin


def draw_figures(evaluation: DetectionEvaluation) -> dict[str, bytes]:
    """Draw what there is to draw, in the order in which it is shown."""
    drawn: dict[str, bytes] = {}
    if evaluation.by_magnitude.num.any():
        drawn[MAGNITUDE] = _magnitude_plot(evaluation)
    if evaluation.by_size.num.any():
        drawn[SIZE] = _size_plot(evaluation)
    if evaluation.purity is not None:
        drawn[PURITY] = _purity_plot(evaluation)
        if evaluation.purity.by_magnitude.num.any():
            drawn[GALAXY_PURITY] = _galaxy_purity_plot(evaluation)
    if evaluation.positions.num:
        drawn[POSITIONS] = _position_plot(evaluation)
    if evaluation.blends.recognised.num.any():
        drawn[BLENDS] = _blend_plot(evaluation)
    if len(evaluation.classes.names):
        classes = evaluation.classes
        drawn[CLASSES] = confusion_plot(
            classes.confusion, classes.names, "galaxies with a label"
        )
    return drawn


def _magnitude_plot(evaluation: DetectionEvaluation) -> bytes:
    figure, panel = _panel("r magnitude", "completeness")
    _draw_shares(panel, evaluation.by_magnitude, BLUE, "all galaxies")
    _draw_shares(panel, evaluation.isolated, ORANGE, "no neighbour in 20 px")
    for share, limit in evaluation.limits.items():
        if np.isfinite(limit):
            panel.axvline(limit, color=GREY, ls=":", lw=1)
            panel.annotate(
                f"{share:.0%}: {limit:.2f}", (limit, 0.03), (4, 0), rotation=90,
                textcoords="offset points", fontsize=8, color=GREY,
            )  # fmt: skip
    panel.legend(loc="lower left")
    panel.set_title("Galaxies found, by brightness")
    return png_bytes(figure)


def _size_plot(evaluation: DetectionEvaluation) -> bytes:
    figure, panel = _panel("half-light radius (px)", "share")
    _draw_shares(panel, evaluation.by_size, BLUE, "completeness")
    if evaluation.purity is not None and evaluation.purity.by_size.num.any():
        _draw_shares(panel, evaluation.purity.by_size, ORANGE, "purity of galaxies")
    panel.set_xscale("log")
    panel.set_xticks(SIZE_TICKS_PX, [f"{size:g}" for size in SIZE_TICKS_PX])
    panel.set_xticks([], minor=True)
    panel.legend(loc="lower right")
    panel.set_title("Galaxies found, and called so rightly, by size")
    return png_bytes(figure)


def _purity_plot(evaluation: DetectionEvaluation) -> bytes:
    assert evaluation.purity is not None
    figure, panel = _panel("signal-to-noise ratio", "purity")
    _draw_shares(panel, evaluation.purity.by_snr, BLUE)
    panel.set_xscale("log")
    panel.set_title("Detections that are any true source")
    return png_bytes(figure)


def _galaxy_purity_plot(evaluation: DetectionEvaluation) -> bytes:
    assert evaluation.purity is not None
    figure, panel = _panel("r magnitude, from flux", "purity")
    _draw_shares(panel, evaluation.purity.by_magnitude, BLUE)
    panel.set_title(f"Galaxies among those with a score ≥ {evaluation.min_score:g}")
    return png_bytes(figure)


def _position_plot(evaluation: DetectionEvaluation) -> bytes:
    figure, panel = _panel("distance from the true centre (px)", "galaxies")
    gaps = evaluation.matches.distance[evaluation.is_galaxy]
    gaps = np.minimum(gaps[np.isfinite(gaps)], MAX_POSITION_PX)
    counts, _, _ = panel.hist(gaps, np.linspace(0, MAX_POSITION_PX, 41), color=BLUE)
    panel.axvline(evaluation.positions.median, color=ORANGE)
    panel.set_ylim(0, 1.05 * max(counts))
    panel.set_title(
        f"Position of all; of r ≤ {BRIGHT_R:g}: median "
        f"{evaluation.positions.median:.2f} px, 95 % within "
        f"{evaluation.positions.percentile_95:.2f} px"
    )
    return png_bytes(figure)


def _blend_plot(evaluation: DetectionEvaluation) -> bytes:
    figure, panel = _panel("distance of the neighbour (px)", "both were found")
    _draw_shares(panel, evaluation.blends.recognised, BLUE)
    panel.set_title("Blends that were recognised")
    return png_bytes(figure)


def _panel(x_label: str, y_label: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    panel = figure.subplots()
    panel.set(xlabel=x_label, ylabel=y_label, ylim=(0, 1.03))
    panel.grid(alpha=0.3)
    return figure, panel


def _draw_shares(panel: Any, counts: Binned, colour: str, label: str = "") -> None:
    """Draw shares with their intervals of 95 % (Wilson), where a bin has any."""
    has_any = counts.num > 0
    middles, shares = counts.middles[has_any], counts.share[has_any]
    intervals = np.array(
        [
            accuracy_interval(int(good), int(num))
            for good, num in zip(
                counts.num_good[has_any], counts.num[has_any], strict=True
            )
        ]
    ).reshape(-1, 2)
    errors: NDArray[np.float64] = np.abs(intervals - shares[:, None]).T
    panel.errorbar(
        middles, shares, errors, fmt="o-", ms=4, lw=1.5, capsize=2, color=colour,
        label=label,
    )  # fmt: skip
