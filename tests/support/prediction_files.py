"""Small tables of predictions, as jobs.score writes them, and labels for them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from galaxy_models.simulation import Survey
from galaxy_models.tables.prediction_schema import (
    predictions_schema,
    probability_column,
)

CLASSES = ("edge_on", "round", "spiral")
FAILED = "truncated: the file ends early"


def row(predicted: str, confidence: float, classes: Sequence[str] = CLASSES) -> Any:
    """Probabilities of a galaxy; what is left goes to the other classes alike."""
    other = (1 - confidence) / (len(classes) - 1)
    return [confidence if name == predicted else other for name in classes]


def write_predictions(
    folder: Path,
    probabilities: Mapping[Any, Sequence[float] | str],
    classes: Sequence[str] = CLASSES,
    **kept: Any,
) -> Path:
    """Write a file of predictions.

    Args:
        folder: made if needed.
        probabilities: by object id; the error where the image failed.
        classes: the model's.
        kept: further columns.
    """
    ids = pa.array(list(probabilities))
    values = list(probabilities.values())
    errors = [one if isinstance(one, str) else None for one in values]
    table = np.array(
        [
            [np.nan] * len(classes) if error else one
            for one, error in zip(values, errors, strict=True)
        ],
        np.float32,
    ).reshape(-1, len(classes))
    kept_arrays = {name: pa.array(column) for name, column in kept.items()}
    best = np.nan_to_num(table).argmax(axis=1)
    columns = {
        "object_id": ids,
        **kept_arrays,
        "predicted_class": pa.array(
            [None if e else classes[i] for i, e in zip(best, errors, strict=True)],
            pa.string(),
        ),
        "confidence": pa.array(table.max(axis=1), from_pandas=True),
        **{
            probability_column(name): pa.array(column, from_pandas=True)
            for name, column in zip(classes, table.T, strict=True)
        },
        "status": pa.array(["failed" if error else "ok" for error in errors]),
        "error": pa.array(errors, pa.string()),
    }
    fields = [pa.field(name, array.type) for name, array in kept_arrays.items()]
    schema = predictions_schema(ids.type, fields, classes)
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns, schema=schema), folder / "part-000000.parquet")
    return folder


def write_labels(path: Path, labels: Mapping[Any, str | None]) -> Path:
    """Write a CSV of ids and labels."""
    table = pd.DataFrame({"object_id": list(labels), "label": list(labels.values())})
    table.to_csv(path, index=False)
    return path


def write_survey_predictions(folder: Path, survey: Survey, every: int = 7) -> Path:
    """Predict a made-up survey: right but for one galaxy in ``every``; broken fail.

    Columns ra and dec are kept, as with ``--keep ra dec``.
    """
    catalog = pd.read_csv(survey.catalog)
    classes = tuple(sorted(set(catalog["label"])))
    rows: dict[Any, Any] = {}
    for number, (object_id, label) in enumerate(
        zip(catalog["object_id"], catalog["label"], strict=True)
    ):
        shift = 1 if number % every == 0 else 0
        guess = classes[(classes.index(label) + shift) % len(classes)]
        rows[object_id] = row(guess, 0.5 + 0.49 * (number % 11) / 10, classes)
    rows |= dict.fromkeys(survey.broken_object_ids, FAILED)
    return write_predictions(
        folder, rows, classes, ra=catalog["ra"], dec=catalog["dec"]
    )
