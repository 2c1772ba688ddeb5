"""What training writes down: a row an epoch, validation predictions, figures.

Knows tables and pictures; it knows neither networks nor Ray.
"""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas import DataFrame
from tensorboardX import SummaryWriter

from galaxy_models import storage
from galaxy_models.evaluation import plots
from galaxy_models.models.calibration import fit_temperature, negative_log_likelihood
from galaxy_models.models.folder import (
    CONFUSION_NAME,
    HISTORY_NAME,
    HISTORY_PLOT_NAME,
    VALIDATION_NAME,
)
from galaxy_models.tables.prediction_schema import probability_column

logger = logging.getLogger(__name__)

TENSORBOARD_NAME = "tensorboard"
EVENTS_NAME = "events.out.tfevents.0.galaxy-batch"  # TensorBoard looks for the middle
SHOWN_IN_TRAINING = ("loss", "accuracy", "learning_rate", "images_per_s")

EpochRow = dict[str, float]
"""An epoch's figures: ``epoch`` (from 1), ``loss``, ``accuracy``, ``val_loss``,
``val_accuracy``, ``learning_rate``, ``images_per_s`` (training alone),
``wait_fraction`` (of training's time, spent waiting for galaxies), ``epoch_s`` (with
validation) and ``unix_s`` (its end)."""


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
    predictions = predictions[predictions["label"].isin(classes)]
    correct = predictions["label"] == predictions["predicted_class"]
    recall = correct.groupby(predictions["label"]).mean()
    return {
        "val_accuracy": float(correct.mean()),
        "val_balanced_accuracy": float(recall.mean()),
        **{f"recall_{name}": float(recall[name]) for name in classes if name in recall},
    }


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


def write_history(folder_uri: str, history: Sequence[EpochRow], title: str) -> None:
    """Write the table, the plot and the TensorBoard logs of the epochs so far.

    Each is written whole, from the checkpoint's rows, so that an epoch that was
    trained twice (a worker was lost) stands in none of them twice.

    Args:
        folder_uri: model folder.
        history: a row an epoch.
        title: of the plot.
    """
    table = DataFrame(history)
    contents = {
        HISTORY_NAME: table.to_csv(index=False).encode(),
        HISTORY_PLOT_NAME: plots.history_plot(table, title),
    }
    for side, names in (
        ("training", {name: name for name in SHOWN_IN_TRAINING}),
        ("validation", {"loss": "val_loss", "accuracy": "val_accuracy"}),
    ):
        path = f"{TENSORBOARD_NAME}/{side}/{EVENTS_NAME}"
        contents[path] = _tensorboard_events(history, names)
    for name, data in contents.items():
        storage.write_bytes(storage.join(folder_uri, name), data)


def _tensorboard_events(history: Sequence[EpochRow], names: dict[str, str]) -> bytes:
    """Write scalars, by their tags, as a file that TensorBoard reads."""
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
    classes = [
        name.removeprefix(probability_column(""))
        for name in predictions.columns
        if name.startswith(probability_column(""))
    ]
    table = pa.Table.from_pandas(predictions, preserve_index=False)
    write_table(folder_uri, VALIDATION_NAME, table)
    of_classes = predictions[predictions["label"].isin(classes)]
    plot = plots.confusion_plot(
        of_classes["label"].tolist(), of_classes["predicted_class"].tolist(), classes
    )
    storage.write_bytes(storage.join(folder_uri, CONFUSION_NAME), plot)


def write_table(folder_uri: str, name: str, table: pa.Table) -> None:
    """Write a table into a folder as Parquet."""
    stream = pa.BufferOutputStream()
    pq.write_table(table, stream)
    storage.write_bytes(storage.join(folder_uri, name), stream.getvalue().to_pybytes())


def read_shards(folder: Path, pattern: str) -> DataFrame:
    """Join the Parquet files that the workers wrote, in the order of their ids."""
    tables = [pd.read_parquet(path) for path in sorted(folder.glob(pattern))]
    return pd.concat(tables, ignore_index=True).sort_values(
        "object_id", ignore_index=True
    )
