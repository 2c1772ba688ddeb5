"""What a training came to: the workers' last report, written by them, read here.

    model.keras                 rank 0
    model_float.tflite, model_int8.tflite, each with its predictions (.parquet)
    litert.json                 rank 0: layers in float of each
    embedding.npz               rank 0, unless galaxies were too few for one
    state.json, arrays.npz      rank 0, see ``checkpoint``
    validation-00000.parquet    every rank: predictions for its share
    weights-00000.sha256        every rank: digest of its weights

Knows files and tables; it knows neither Ray nor TensorFlow.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pandas import DataFrame

from galaxy_models.errors import TrainingError
from galaxy_models.models.card import (
    EMBEDDING_NAME,
    MODEL_NAME,
    LiteRTRecord,
    hash_model,
)
from galaxy_models.models.heads import ClassesHead, Head, Outputs
from galaxy_models.training.checkpoint import read_state
from galaxy_models.training.history import EpochRow

DIGEST_NAME = "weights-{rank:05d}.sha256"
PREDICTIONS_NAME = "validation-{rank:05d}.parquet"
LITERT_NAME = "litert.json"


@dataclass(frozen=True)
class LiteRTFile:
    """A LiteRT file, and what it predicts for the validation galaxies."""

    data: bytes
    num_float_layers: int
    """Leading convolutions that stay in float."""

    predictions: DataFrame
    """Columns ``object_id`` and the network's outputs."""


@dataclass(frozen=True)
class Result:
    """A trained network, and how training went."""

    model: bytes
    """The bytes of ``model.keras``."""

    history: tuple[EpochRow, ...]
    predictions: DataFrame
    """Of the validation galaxies by Keras, in the order of their ids, with labels."""

    litert: dict[str, LiteRTFile]
    """LiteRT files by name."""

    embedding: bytes | None = None
    """The bytes of ``embedding.npz``."""

    def litert_records(self, head: Head) -> dict[str, LiteRTRecord]:
        """Compare each LiteRT file's predictions with those of Keras."""
        return {
            name: litert_record(file, self.predictions, head)
            for name, file in self.litert.items()
        }


def write_share(folder: Path, rank: int, predictions: DataFrame, digest: str) -> None:
    """Write what every rank reports at the end."""
    predictions.to_parquet(folder / PREDICTIONS_NAME.format(rank=rank))
    (folder / DIGEST_NAME.format(rank=rank)).write_text(digest)


def write_litert(folder: Path, files: dict[str, LiteRTFile]) -> None:
    """Write what rank 0 exported."""
    for name, file in files.items():
        (folder / name).write_bytes(file.data)
        file.predictions.to_parquet(folder / f"{name}.parquet")
    layers = {name: file.num_float_layers for name, file in files.items()}
    (folder / LITERT_NAME).write_text(json.dumps(layers))


def read_result(folder: Path) -> Result:
    """Read the last report.

    Raises:
        TrainingError: the workers ended with different weights.
    """
    _check_equal_workers(folder)
    layers = json.loads((folder / LITERT_NAME).read_text())
    embedding = folder / EMBEDDING_NAME
    return Result(
        model=(folder / MODEL_NAME).read_bytes(),
        history=read_state(folder).history,
        predictions=read_shares(folder),
        litert={
            name: LiteRTFile(
                (folder / name).read_bytes(),
                num_float_layers,
                pd.read_parquet(folder / f"{name}.parquet"),
            )
            for name, num_float_layers in layers.items()
        },
        embedding=embedding.read_bytes() if embedding.exists() else None,
    )


def read_shares(folder: Path) -> DataFrame:
    """Join the predictions of all ranks, in the order of their ids."""
    paths = sorted(folder.glob(PREDICTIONS_NAME.replace("{rank:05d}", "*")))
    tables = [pd.read_parquet(path) for path in paths]
    return pd.concat(tables, ignore_index=True).sort_values(
        "object_id", ignore_index=True
    )


def _check_equal_workers(folder: Path) -> None:
    """Compare the workers' weights, bit for bit."""
    digests = [path.read_text() for path in sorted(folder.glob("weights-*.sha256"))]
    if len(set(digests)) != 1:
        raise TrainingError(
            f"the {len(digests)} workers ended with different weights; do all hosts "
            "have the same versions of TensorFlow and Keras?"
        )


def litert_record(file: LiteRTFile, predictions: DataFrame, head: Head) -> LiteRTRecord:
    """Compare a LiteRT file's predictions with those of Keras.

    Args:
        file: the LiteRT file.
        predictions: of the same galaxies by Keras: columns ``object_id``, ``label`` if
            there are any, and the network's outputs.
        head: what these mean.
    """
    names = list(head.output_names)
    by_keras = predictions.set_index("object_id").loc[file.predictions["object_id"]]
    found, expected = file.predictions[names].to_numpy(), by_keras[names].to_numpy()
    val_accuracy = None
    if isinstance(head, ClassesHead):
        val_accuracy = _accuracy(found, by_keras["label"], head.classes)
    return LiteRTRecord(
        file_hash=hash_model(file.data),
        agreement=head.agreement(found, expected),
        val_accuracy=val_accuracy,
        max_probability_difference=float(np.abs(found - expected).max()),
        num_galaxies=len(expected),
        num_float_layers=file.num_float_layers,
    )


def _accuracy(found: Outputs, labels: pd.Series, classes: tuple[str, ...]) -> float:
    """Share of galaxies given their label, where it is a class and no group."""
    has_class = labels.isin(classes).to_numpy()
    predicted = np.asarray(classes)[found.argmax(axis=1)]
    return float(np.mean((predicted == labels.to_numpy())[has_class]))
