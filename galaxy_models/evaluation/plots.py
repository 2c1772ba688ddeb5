"""Plots: training curves, confusion, galleries, calibration.

Each function takes numbers and returns PNG bytes; none reads or writes files.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from galaxy_models.evaluation.metrics import Coverage, Reliability
from galaxy_models.evaluation.ranks import Posterior
from galaxy_models.evaluation.sky_map import SkyMap

DPI = 120
GALLERY_COLUMNS = 8
MISSING_CUTOUT = np.full((2, 2, 3), 90, np.uint8)  # grey: not a picture of the sky
BLUE, ORANGE, GREY = "#1f6f9f", "#d1631d", "#8a9097"
CLASS_COLOURS = [f"C{number}" for number in range(10)]  # matplotlib's own
SIZE_INCHES = (6.4, 4.8)
SKY_SIZE_INCHES = (8, 4.4)


def history_plot(
    history: pd.DataFrame, title: str, figure_name: str = "accuracy"
) -> bytes:
    """Draw a figure such as the accuracy (above) and loss (below) against epochs.

    Args:
        history: a row an epoch, with columns ``epoch`` (from 1), ``accuracy``,
            ``val_accuracy``, ``loss`` and ``val_loss``.
        title: what was trained.
        figure_name: what the columns ``accuracy`` and ``val_accuracy`` are called.
    """
    figure = Figure(figsize=(7, 7), layout="constrained")
    panels = figure.subplots(2, 1, sharex=True)
    for panel, name in zip(panels, (figure_name, "loss"), strict=True):
        panel.plot(history["epoch"], history[name], "o-", ms=3, label="training")
        panel.plot(
            history["epoch"], history[f"val_{name}"], "o-", ms=3, label="validation"
        )
        panel.set_ylabel(name)
        panel.grid(alpha=0.3)
    panels[0].set_title(title)
    panels[0].legend()
    panels[1].set_xlabel("epoch")
    panels[1].xaxis.get_major_locator().set_params(integer=True)
    return png_bytes(figure)


def confusion_plot(
    counts: NDArray[np.int64], classes: Sequence[str], galaxies: str
) -> bytes:
    """Draw counts of true class (rows) against predicted class (columns).

    Colours are shares of the row, so that a rare class is as visible as a common one.

    Args:
        counts: int64, shape (classes, classes).
        classes: class names, in the order of rows and columns.
        galaxies: which galaxies these are.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.5 + 0.8 * len(classes)
    figure = Figure(figsize=(side, side), layout="constrained")
    panel = figure.subplots()
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.5 else "black"
        panel.text(column, row, str(count), ha="center", va="center", color=colour)
    panel.set_xticks(
        range(len(classes)), classes, rotation=40, ha="right", parse_math=False
    )
    panel.set_yticks(range(len(classes)), classes, parse_math=False)
    panel.set_xlabel("predicted class")
    panel.set_ylabel("true class")
    panel.set_title(f"{counts.sum()} {galaxies}")
    return png_bytes(figure)


def gallery(
    images: Sequence[NDArray[np.uint8] | None], captions: Sequence[str], title: str
) -> bytes:
    """Draw a grid of cutouts, each with a caption below it.

    Args:
        images: uint8 RGB, shape (height, width, 3) each; None where the image failed.
        captions: one a cutout.
        title: what is shown.
    """
    num_rows = -(-len(images) // GALLERY_COLUMNS)
    figure = Figure(
        figsize=(1.5 * GALLERY_COLUMNS, 1.7 * num_rows + 0.4), layout="constrained"
    )
    panels = figure.subplots(num_rows, GALLERY_COLUMNS, squeeze=False).ravel()
    for panel in panels[len(images) :]:
        panel.axis("off")
    for panel, image, caption in zip(panels, images, captions, strict=False):
        panel.imshow(MISSING_CUTOUT if image is None else image)
        panel.set(xticks=[], yticks=[])
        panel.set_xlabel(caption, fontsize=8)
    figure.suptitle(title)
    return png_bytes(figure)


def reliability_plot(bins: Reliability, error: float) -> bytes:
    """Draw accuracy against confidence (above), and how many galaxies (below).

    Args:
        bins: of confidence.
        error: expected calibration error, for the title.
    """
    figure = Figure(figsize=(6.4, 6.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    middles, widths = (bins.edges[1:] + bins.edges[:-1]) / 2, np.diff(bins.edges)
    above.plot([0, 1], [0, 1], "--", color=GREY, label="calibrated")
    above.bar(middles, bins.accuracy, widths, color=BLUE, alpha=0.25, ec=BLUE)
    above.plot(bins.confidence, bins.accuracy, "o-", color=ORANGE, label="predictions")
    above.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="accuracy")
    above.set_title(f"Expected calibration error {error:.3f}")
    above.legend(loc="upper left")
    below.bar(middles, bins.counts, widths, color=BLUE, ec="white")
    below.set(xlabel="confidence", ylabel="galaxies")
    return png_bytes(figure)


def coverage_plot(curve: Coverage) -> bytes:
    """Draw the accuracy of the most confident against their share of all."""
    figure, panel = _one_panel()
    panel.plot(curve.coverage, curve.accuracy, color=BLUE, lw=2)
    panel.plot(curve.coverage[-1:], curve.accuracy[-1:], "o", color=ORANGE)
    panel.annotate(
        f"all: {curve.accuracy[-1]:.3f}",
        (curve.coverage[-1], curve.accuracy[-1]),
        (-6, -16),
        textcoords="offset points",
        ha="right",
    )
    lowest = float(curve.accuracy.min())
    panel.set(xlim=(0, 1.02), ylim=(max(0.0, lowest - 0.08), 1.01))
    panel.set(xlabel="coverage: share of galaxies kept", ylabel="accuracy of these")
    panel.set_title("The most confident first")
    panel.grid(alpha=0.3)
    return png_bytes(figure)


def class_counts_plot(
    counts: Sequence[int], num_failed: int, classes: Sequence[str]
) -> bytes:
    """Draw how many galaxies are predicted to be of each class."""
    names, values = [*classes, "failed"], [*counts, num_failed]
    height = 1.4 + 0.36 * len(names)
    figure = Figure(figsize=(SIZE_INCHES[0], height), layout="constrained")
    panel = figure.subplots()
    colours = [BLUE] * len(classes) + [GREY]
    bars = panel.barh(range(len(names)), values, color=colours)
    panel.bar_label(bars, [f" {value:,}" for value in values], fontsize=9)
    panel.set_yticks(range(len(names)), names, parse_math=False)
    panel.invert_yaxis()
    panel.margins(x=0.16)
    panel.set_xlabel("galaxies")
    panel.set_title(f"Predicted classes of {sum(values):,} galaxies")
    panel.spines[["top", "right"]].set_visible(False)
    return png_bytes(figure)


def confidence_plot(
    edges: NDArray[np.float64], counts: NDArray[np.int64], classes: Sequence[str]
) -> bytes:
    """Draw how confident the predictions are.

    Args:
        edges: shape (bins + 1,).
        counts: int64, shape (classes, bins), by predicted class; told apart by colour
            where there are few enough.
        classes: class names.
    """
    figure, panel = _one_panel()
    widths, is_few = np.diff(edges), len(classes) <= len(CLASS_COLOURS)
    shown = counts if is_few else counts.sum(axis=0, keepdims=True)
    colours = CLASS_COLOURS if is_few else [BLUE]
    bottom = np.zeros(len(widths))
    bars = []
    for row, colour in zip(shown, colours, strict=False):
        bars.append(
            panel.bar(edges[:-1], row, widths, bottom, align="edge", color=colour)
        )
        bottom += row
    if is_few:
        legend = panel.legend(bars, classes, title="predicted class", loc="upper left")
        for text in legend.get_texts():
            text.set_parse_math(False)
    panel.set(xlim=(0, 1), xlabel="confidence", ylabel="galaxies")
    panel.set_title(f"Confidence of {counts.sum():,} predictions")
    return png_bytes(figure)


def sky_plot(sky: SkyMap) -> bytes:
    """Draw the density of galaxies, right ascension growing to the left (deg)."""
    figure = Figure(figsize=SKY_SIZE_INCHES, layout="constrained")
    if sky.is_all_sky:
        panel = figure.subplots(subplot_kw={"projection": "mollweide"})
        # Right ascension 180 in the middle, 0 at both ends.
        mesh = panel.pcolormesh(
            np.radians(180 - sky.ra_edges_deg), np.radians(sky.dec_edges_deg),
            sky.per_deg2, vmin=0,
        )  # fmt: skip
        ticks = np.arange(-150, 151, 30)
        panel.set_xticks(np.radians(ticks), [f"{180 - tick}°" for tick in ticks])
        for label in panel.get_xticklabels():  # they stand on the data
            label.set(
                fontsize=8, path_effects=[withStroke(linewidth=2, foreground="w")]
            )
        panel.set_xlabel("right ascension (Mollweide, equal areas)")
        panel.set_ylabel("declination")
    else:
        panel = figure.subplots()
        mesh = panel.pcolormesh(
            sky.ra_edges_deg, sky.dec_edges_deg, sky.per_deg2, vmin=0
        )
        _lay_out_patch(panel, sky)
    panel.grid(alpha=0.3)
    bar = figure.colorbar(mesh, ax=panel, shrink=0.8)
    bar.set_label("galaxies per square degree")
    panel.set_title(f"{sky.num_positions:,} galaxies on the sky")
    return png_bytes(figure)


def _lay_out_patch(panel: Any, sky: SkyMap) -> None:
    dec_middle = (sky.dec_edges_deg[0] + sky.dec_edges_deg[-1]) / 2
    panel.set_aspect(1 / max(np.cos(np.radians(dec_middle)), 0.01))
    panel.invert_xaxis()
    panel.set_facecolor("#f2f2f2")
    panel.xaxis.set_major_formatter(lambda ra, _: f"{round(ra % 360, 4):g}")
    panel.yaxis.set_major_formatter(lambda dec, _: f"{round(dec, 4):g}")
    panel.set(xlabel="right ascension (deg)", ylabel="declination (deg)")


def ranks_plot(posterior: Posterior, truths: str, density: str) -> bytes:
    """Draw where truths lie in their predicted distributions; flat is calibrated.

    Args:
        posterior: what was counted.
        truths: what they are.
        density: what is drawn upward.
    """
    figure, panel = _one_panel()
    edges = np.linspace(0, 1, len(posterior.rank_counts) + 1)
    heights = posterior.rank_counts * len(posterior.rank_counts)
    panel.stairs(heights, edges, fill=True, color=BLUE, alpha=0.6)
    panel.axhline(1, ls="--", color=ORANGE)
    panel.set(xlim=(0, 1), ylabel=density)
    panel.set_xlabel(
        f"rank of the {truths} in the predicted distribution", parse_math=False
    )
    spelled = ", ".join(
        f"{level:.0%}: {x:.1%}" for level, x in posterior.by_level().items()
    )
    panel.set_title(
        f"{truths} inside central intervals of {spelled}", fontsize=9, parse_math=False
    )
    return png_bytes(figure)


def _one_panel() -> tuple[Figure, Any]:
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    return figure, figure.subplots()


def png_bytes(figure: Figure) -> bytes:
    """Draw a figure as a PNG file's bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI)
    return stream.getvalue()
