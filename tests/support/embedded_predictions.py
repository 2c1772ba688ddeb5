"""Predictions with embeddings that tests choose."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from prediction_files import CLASSES, FAILED, row, write_predictions

from galaxy_models.tables.prediction_schema import predictions_schema


def write_embedded(
    folder: Path,
    ids: Sequence[Any],
    embeddings: Any,
    *,
    failed: Sequence[Any] = (),
    confidence: Sequence[float] | None = None,
    rows_per_file: int = 1000,
) -> Path:
    """Write predictions; galaxies are of the classes in turn.

    Args:
        folder: made if needed.
        ids: of the galaxies.
        embeddings: a list of numbers for each.
        failed: those of them whose image failed.
        confidence: of each; 0.9 if left out.
        rows_per_file: galaxies a file.
    """
    shares = [0.9] * len(ids) if confidence is None else confidence
    rows = {
        one: FAILED if one in failed else row(CLASSES[index % 3], shares[index])
        for index, one in enumerate(ids)
    }
    write_predictions(folder, rows)
    (path,) = folder.glob("*.parquet")
    table = pq.read_table(path)
    path.unlink()
    values = np.array(embeddings, np.float16)
    values[[one in failed for one in ids]] = np.nan
    lists = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    schema = predictions_schema(
        table["object_id"].type, (), CLASSES, num_components=values.shape[1]
    )
    table = pa.table([*table.columns, lists], schema=schema)
    for number, start in enumerate(range(0, len(ids), rows_per_file)):
        part = table.slice(start, rows_per_file)
        pq.write_table(part, folder / f"part-{number:06d}.parquet")
    return folder
