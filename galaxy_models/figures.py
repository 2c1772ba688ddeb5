"""Pictures that people look at: training curves, confusion, galleries.

Each function takes numbers and returns PNG bytes; none reads or writes files.
"""

import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

DPI = 120
GALLERY_COLUMNS = 8
MISSING_CUTOUT = np.full((2, 2, 3), 90, np.uint8)  # grey: not a picture of the sky


def history_plot(history: pd.DataFrame, title: str) -> bytes:
    """Draw accuracy (above) and loss (below) against epochs.

    Args:
        history: a row an epoch, with columns ``epoch`` (from 1), ``accuracy``,
            ``val_accuracy``, ``loss`` and ``val_loss``.
        title: what was trained.
    """
    figure = Figure(figsize=(7, 7), layout="constrained")
    panels = figure.subplots(2, 1, sharex=True)
    for panel, name in zip(panels, ("accuracy", "loss"), strict=True):
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
    true: Sequence[str], predicted: Sequence[str], classes: Sequence[str]
) -> bytes:
    """Draw the confusion of validation galaxies.

    Args:
        true: class of each galaxy.
        predicted: class that the network gave it.
        classes: class names, in the order of rows and columns.
    """
    index = {name: i for i, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), np.int64)
    for truth, guess in zip(true, predicted, strict=True):
        counts[index[truth], index[guess]] += 1
    return confusion_counts_plot(counts, classes, "validation galaxies")


def confusion_counts_plot(
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


def png_bytes(figure: Figure) -> bytes:
    """Draw a figure as a PNG file's bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI)
    return stream.getvalue()
