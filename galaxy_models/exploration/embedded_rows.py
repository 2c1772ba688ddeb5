"""Predictions -> batches of embeddings with what is said of each galaxy.

Memory holds the batches that Arrow reads ahead, for any number of rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from galaxy_models.errors import PredictionsError
from galaxy_models.tables.prediction_schema import EMBEDDING_COLUMN
from galaxy_models.tables.predictions import Predictions

Floats = NDArray[np.float32]
SHOWN_COLUMNS = ("object_id", "predicted_class", "confidence")


@dataclass(frozen=True)
class EmbeddedRows:
    """Some rows."""

    table: pa.RecordBatch
    """``object_id``; ``predicted_class`` and ``confidence`` of models of classes."""

    embeddings: Floats
    """Shape (rows, components); NaN where the image failed."""


def num_components(predictions: Predictions) -> int:
    """Length of the embeddings.

    Raises:
        PredictionsError: there are none.
    """
    schema = predictions.table.schema
    if EMBEDDING_COLUMN in schema.names:
        kind = schema.field(EMBEDDING_COLUMN).type
        if pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type):
            return int(kind.list_size)
    raise PredictionsError(
        f"{predictions.uri} has no column {EMBEDDING_COLUMN!r}; score the catalog "
        "again with --embedding 32."
    )


def read_embedded_rows(predictions: Predictions) -> Iterator[EmbeddedRows]:
    """Read all rows, a batch at a time, in their order.

    Raises:
        PredictionsError: there are no embeddings.
        CatalogError: a file cannot be read.
    """
    num = num_components(predictions)
    there = predictions.table.schema.names
    shown = [name for name in SHOWN_COLUMNS if name in there]
    for batch in predictions.table.read_batches([*shown, EMBEDDING_COLUMN]):
        embeddings = vectors(batch.column(len(shown)), num)
        yield EmbeddedRows(batch.select(shown), embeddings)


def vectors(lists: pa.Array, num: int) -> Floats:
    """Turn lists of numbers into an array.

    Args:
        lists: fixed-size lists of ``num`` floats.
        num: components.

    Returns:
        Shape (rows, num); a null list becomes NaN.
    """
    flat = lists.values.slice(lists.offset * num, len(lists) * num)
    found = np.asarray(flat.to_numpy(zero_copy_only=False), np.float32)
    found = found.reshape(-1, num)
    if lists.null_count:
        found = found.copy()
        found[pc.is_null(lists).to_numpy(zero_copy_only=False)] = np.nan
    return found
