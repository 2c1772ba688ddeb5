"""What training writes: a row for each epoch, validation predictions, figures.

Knows tables and pictures; it knows neither networks nor Ray. What draws is imported
with the first picture: decoding and training need none.
"""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pandas import DataFrame

from galaxy_models import storage
from galaxy_models.evaluation import metrics
from galaxy_models.models.calibration import fit_temperature, negative_log_likelihood
from galaxy_models.models.folder import (
    CONFUSION_NAME,
    HISTORY_NAME,
    HISTORY_PLOT_NAME,
    VALIDATION_NAME,
)
from galaxy_models.models.heads import HeadKind
from galaxy_models.tables.prediction_schema import probability_column

logger = logging.getLogger(__name__)

TENSORBOARD_NAME = "tensorboard"
EVENTS_NAME = "events.out.tfevents.0.galaxy-batch"  # TensorBoard looks for the middle
SHOWN_IN_TRAINING = ("loss", "learning_rate", "images_per_s")
FIGURES: dict[HeadKind, str] = {
    "classes": "accuracy",
    "votes": "fraction_error",
    "regression": "standard_error",
}
"""What an epoch's row has next to the loss, by the head."""

EpochRow = dict[str, float]
"""An epoch's figures: ``epoch`` (from 1), ``loss``, ``accuracy`` (or what ``FIGURES``
says), ``val_loss``, ``val_accuracy``, ``learning_rate``, ``images_per_s`` (training
alone), ``wait_fraction`` (of training's time, spent waiting for galaxies), ``epoch_s``
(with validation) and ``unix_s`` (its end)."""


def figure_of(row: Mapping[str, float]) -> str:
    """Name what an epoch's row has next to the loss."""
    return next(name for name in FIGURES.values() if name in row)


def epoch_line(history: Sequence[EpochRow], num_epochs: int) -> str:
    """Say in a line of the job's log how the last epoch went.

    Args:
        history: rows of the epochs so far.
        num_epochs: that are asked for.
    """
    row = history[-1]
    figure = figure_of(row)
    mean_s = sum(past["epoch_s"] for past in history) / len(history)
    return (
        f"epoch {row['epoch']}/{num_epochs}: loss {row['loss']:.4f} {figure} "
        f"{row[figure]:.3f}, validation loss {row['val_loss']:.4f} {figure} "
        f"{row[f'val_{figure}']:.3f}, rate {row['learning_rate']:.1e}, "
        f"{row['images_per_s']:.0f} images/s, {100 * row['wait_fraction']:.0f} % of it "
        f"waiting for data, {mean_s * (num_epochs - row['epoch']):.0f} s left"
    )


def validation_metrics(
    predictions: DataFrame, classes: Sequence[str]
) -> dict[str, float]:
    """Summarise the validation galaxies' predictions.

    Args:
        predictions: columns ``label``, ``predicted_class`` and the probabilities.
        classes: class names.

    Returns:
        ``val_accuracy`` (0 to 1), ``val_balanced_accuracy`` (mean recall of the
        classes that occur) and ``recall_<class>`` of those; galaxies whose label is a
        group of classes count nowhere.
    """
    confusion = _confusion(predictions, classes)
    recall = metrics.class_scores(confusion).recall
    return {
        "val_accuracy": metrics.accuracy(confusion),
        "val_balanced_accuracy": metrics.balanced_accuracy(confusion),
        **{
            f"recall_{name}": float(share)
            for name, share in zip(classes, recall, strict=True)
            if not np.isnan(share)
        },
    }


def _confusion(predictions: DataFrame, classes: Sequence[str]) -> NDArray[np.int64]:
    """Count galaxies by label (rows) and predicted class, where the label is one."""
    index = pd.Index(classes)
    labels = index.get_indexer(pd.Index(predictions["label"]))
    predicted = index.get_indexer(pd.Index(predictions["predicted_class"]))
    is_class = labels >= 0
    return metrics.confusion_matrix(labels[is_class], predicted[is_class], len(classes))


def fitted_temperature(predictions: DataFrame, classes: Sequence[str]) -> float:
    """Fit the temperature that scoring applies, and log what it brings.

    Args:
        predictions: columns ``label`` and the probabilities. A galaxy whose label is
            none of the classes is left out.
        classes: class names in the network's order.

    Returns:
        What ``calibration.fit_temperature`` does.
    """
    labels = pd.Index(classes).get_indexer(pd.Index(predictions["label"]))
    columns = [probability_column(name) for name in classes]
    probabilities = predictions[columns].to_numpy(np.float32)[labels >= 0]
    labels = labels[labels >= 0].astype(np.int64)
    temperature = fit_temperature(probabilities, labels)
    logger.info(
        "temperature %.3f: negative log likelihood %.4f a galaxy, before %.4f (%d "
        "validation galaxies)",
        temperature,
        negative_log_likelihood(probabilities, labels, temperature),
        negative_log_likelihood(probabilities, labels),
        len(labels),
    )
    return temperature


def write_history(folder_uri: str, history: Sequence[EpochRow]) -> None:
    """Write the table and the TensorBoard logs of the epochs so far.

    Each is written whole, from the checkpoint's rows, so that an epoch that was
    trained twice (a worker was lost) stands in none of them twice.

    Args:
        folder_uri: model folder.
        history: a row for each epoch.
    """
    contents = {HISTORY_NAME: DataFrame(history).to_csv(index=False).encode()}
    figure = figure_of(history[0])
    for side, names in (
        ("training", {name: name for name in (*SHOWN_IN_TRAINING, figure)}),
        ("validation", {"loss": "val_loss", figure: f"val_{figure}"}),
    ):
        path = f"{TENSORBOARD_NAME}/{side}/{EVENTS_NAME}"
        contents[path] = _tensorboard_events(history, names)
    for name, data in contents.items():
        storage.write_bytes(storage.join(folder_uri, name), data)


def draw_history(folder_uri: str, history: Sequence[EpochRow], title: str) -> None:
    """Write the plot of the epochs so far.

    Args:
        folder_uri: model folder.
        history: a row for each epoch.
        title: of the plot.
    """
    from galaxy_models.evaluation import plots

    plot = plots.history_plot(DataFrame(history), title, figure_of(history[0]))
    storage.write_bytes(storage.join(folder_uri, HISTORY_PLOT_NAME), plot)


def _tensorboard_events(history: Sequence[EpochRow], names: dict[str, str]) -> bytes:
    """Write scalars, by their tags, as a file that TensorBoard reads."""
    from tensorboardX import SummaryWriter

    with tempfile.TemporaryDirectory() as folder:
        with SummaryWriter(folder, write_to_disk=True) as writer:
            for row in history:
                for tag, column in names.items():
                    writer.add_scalar(
                        tag, row[column], int(row["epoch"]), row["unix_s"]
                    )
        (events,) = Path(folder).iterdir()
        return events.read_bytes()


def write_predictions(folder_uri: str, predictions: DataFrame) -> None:
    """Write the validation galaxies' predictions and their confusion matrix."""
    from galaxy_models.evaluation import plots

    classes = [
        name.removeprefix(probability_column(""))
        for name in predictions.columns
        if name.startswith(probability_column(""))
    ]
    write_frame(folder_uri, VALIDATION_NAME, predictions)
    plot = plots.confusion_plot(
        _confusion(predictions, classes), classes, "validation galaxies"
    )
    storage.write_bytes(storage.join(folder_uri, CONFUSION_NAME), plot)


def write_frame(folder_uri: str, name: str, frame: DataFrame) -> None:
    """Write a data frame into a folder as Parquet."""
    write_table(folder_uri, name, pa.Table.from_pandas(frame, preserve_index=False))


def write_table(folder_uri: str, name: str, table: pa.Table) -> None:
    """Write a table into a folder as Parquet."""
    stream = pa.BufferOutputStream()
    pq.write_table(table, stream)
    storage.write_bytes(storage.join(folder_uri, name), stream.getvalue().to_pybytes())
