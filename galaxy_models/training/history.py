"""What training writes down: a row an epoch, validation predictions, figures.

Runs on the driver; knows tables and pictures, neither networks nor Ray.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas import DataFrame

from galaxy_models import figures, model_folder, storage
from galaxy_models.schemas import probability_column


def validation_metrics(
    predictions: DataFrame, classes: Sequence[str]
) -> dict[str, float]:
    """Summarise the validation galaxies' predictions.

    Args:
        predictions: columns ``label``, ``predicted_class`` and the probabilities.
        classes: class names.

    Returns:
        ``val_accuracy`` (0 to 1), ``val_balanced_accuracy`` (mean recall of the
        classes that occur) and ``recall_<class>`` of those.
    """
    correct = predictions["label"] == predictions["predicted_class"]
    recall = correct.groupby(predictions["label"]).mean()
    return {
        "val_accuracy": float(correct.mean()),
        "val_balanced_accuracy": float(recall.mean()),
        **{f"recall_{name}": float(recall[name]) for name in classes if name in recall},
    }


def write_records(
    folder_uri: str, history: DataFrame, predictions: DataFrame, card_title: str
) -> None:
    """Write the tables and figures of a finished training into a model folder."""
    classes = [
        name.removeprefix(probability_column(""))
        for name in predictions.columns
        if name.startswith(probability_column(""))
    ]
    stream = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(predictions, preserve_index=False), stream)
    contents = {
        model_folder.HISTORY_NAME: history.to_csv(index=False).encode(),
        model_folder.HISTORY_PLOT_NAME: figures.history_plot(history, card_title),
        model_folder.VALIDATION_NAME: stream.getvalue().to_pybytes(),
        model_folder.CONFUSION_NAME: figures.confusion_plot(
            predictions["label"].tolist(),
            predictions["predicted_class"].tolist(),
            classes,
        ),
    }
    for name, data in contents.items():
        storage.write_bytes(storage.join(folder_uri, name), data)


def read_shards(folder: str, pattern: str) -> DataFrame:
    """Join the Parquet files that the workers wrote, in the order of their ids."""
    tables = [pd.read_parquet(path) for path in sorted(Path(folder).glob(pattern))]
    return pd.concat(tables, ignore_index=True).sort_values(
        "object_id", ignore_index=True
    )
