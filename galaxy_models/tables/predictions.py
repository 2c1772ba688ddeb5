"""Reads the predictions of jobs.score: ids, probabilities and errors, checked.

Memory holds only the batches that Arrow reads ahead, for any number of rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.errors import PredictionsError
from galaxy_models.storage.output_folder import UNFINISHED_NAME
from galaxy_models.tables.formats import ParquetTable, open_table
from galaxy_models.tables.prediction_schema import (
    STATUS_OK,
    classes_of,
    familiarity_column,
    probability_column,
)

NEEDED_COLUMNS = ("object_id", "confidence", "status", "error")
LEAST_TOLERANCE = 0.02  # of a sum of probabilities
STEP_OF_8_BITS = 1 / 256  # by which an 8-bit softmax may be off in every class


@dataclass(frozen=True)
class Predictions:
    """Predictions that were opened but not read."""

    table: ParquetTable
    classes: tuple[str, ...]
    """The model's, in its order."""

    is_unfinished: bool
    """Whether the scoring has not finished: these are its first rows."""

    remedy: str
    """What to do where they are something else."""

    @property
    def uri(self) -> str:
        """What the user named, absolute."""
        return self.table.uri


@dataclass(frozen=True)
class PredictedRows:
    """Some rows."""

    object_ids: pa.Array
    probabilities: NDArray[np.float32]
    """Shape (rows, classes); NaN where the image failed."""

    errors: pa.Array
    """Texts; null where the image did not fail."""

    familiarity: NDArray[np.float32] | None = None
    """Shape (rows,); NaN where the image failed. None where nobody asked for it."""


def open_predictions(uri: str, flag: str) -> Predictions:
    """Check that a table has the columns of predictions.

    Args:
        uri: a folder, a Parquet file or a pattern.
        flag: that named it, for errors.

    Raises:
        PredictionsError: it has not; or it is no Parquet.
        CatalogError: there is nothing, or it cannot be read.
    """
    remedy = f"name the folder that jobs.score wrote with {flag}"
    table = open_table(storage.absolute_uri(uri), flag)
    if not isinstance(table, ParquetTable):
        raise PredictionsError(f"{table.uri} holds no Parquet files; {remedy}.")
    names = table.schema.names
    missing = [name for name in NEEDED_COLUMNS if name not in names]
    if missing:
        raise PredictionsError(
            f"{table.uri} has no column {', '.join(missing)}, so it is no table of "
            f"predictions; it has {', '.join(names)}; {remedy}."
        )
    classes = classes_of(table.schema)
    if len(classes) < 2:
        raise PredictionsError(
            f"{table.uri} has {len(classes)} column(s) probability_<class> after "
            f"'confidence', and needs two or more; {remedy}."
        )
    return Predictions(table, classes, _is_unfinished(table), remedy)


def _is_unfinished(table: ParquetTable) -> bool:
    """Whether a scoring that has not finished writes to a folder of these files."""
    folders = dict.fromkeys(map(storage.parent, table.uris))
    return any(
        storage.is_file(storage.join(folder, UNFINISHED_NAME)) for folder in folders
    )


def read_predictions(predictions: Predictions) -> Iterator[PredictedRows]:
    """Read all rows, a batch at a time, in their order.

    Raises:
        PredictionsError: an id is null, or probabilities are none.
        CatalogError: a file cannot be read.
    """
    columns = list(map(probability_column, predictions.classes))
    familiar = familiarity_column(predictions.table.schema)
    needed = ["object_id", "status", "error", *columns, *familiar]
    for rows in predictions.table.read_batches(needed):
        is_ok = pc.equal(rows["status"], STATUS_OK).to_numpy(zero_copy_only=False)
        probabilities = np.column_stack(
            [
                rows[name].cast(pa.float32()).to_numpy(zero_copy_only=False)
                for name in columns
            ]
        )
        _check_rows(predictions, rows["object_id"], probabilities[is_ok])
        probabilities[~is_ok] = np.nan
        yield PredictedRows(
            rows["object_id"],
            probabilities,
            rows["error"],
            *(rows[name].to_numpy(zero_copy_only=False) for name in familiar),
        )


def _check_rows(
    predictions: Predictions, ids: pa.Array, probabilities: NDArray[np.float32]
) -> None:
    if ids.null_count:
        raise PredictionsError(
            f"column 'object_id' of {predictions.uri} is null in some rows; "
            f"{predictions.remedy}."
        )
    if not len(probabilities):
        return
    gaps = np.abs(probabilities.sum(axis=1) - 1)
    tolerance = max(LEAST_TOLERANCE, probabilities.shape[1] * STEP_OF_8_BITS)
    # A NaN fails every comparison.
    are_good = (probabilities >= 0).all() and (gaps <= tolerance).all()
    if not are_good:
        raise PredictionsError(
            f"{predictions.uri} has rows whose status is ok but whose probabilities "
            "are null, negative or do not add up to 1; score the catalog again."
        )
