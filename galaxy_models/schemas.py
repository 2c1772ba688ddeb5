"""Arrow schemas of the tables that people read: names, types, units, meaning.

This module knows columns only; it neither reads nor writes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

STATUS_OK = "ok"
STATUS_FAILED = "failed"


class Column(NamedTuple):
    """A column of the predictions, for people and for file metadata."""

    name: str
    unit: str
    meaning: str


PREDICTION_COLUMNS = (
    Column("object_id", "", "the catalog's id, type unchanged"),
    Column("predicted_class", "", "the most probable class; null where failed"),
    Column("confidence", "0 to 1", "probability of the predicted class"),
    Column("probability_<class>", "0 to 1", "softmax output, one column a class"),
    Column("status", "", "ok or failed"),
    Column("error", "", "null, or what failed: a reason, a colon, details"),
)


def probability_column(class_name: str) -> str:
    """Name the column that holds a class's probability."""
    return f"probability_{class_name}"


def predictions_schema(
    object_id: pa.DataType, kept: Sequence[pa.Field], classes: Sequence[str]
) -> pa.Schema:
    """Lay out the predictions of a model on a catalog.

    Args:
        object_id: type of the catalog's ids, string or int64.
        kept: the catalog's columns that ride along, with their metadata.
        classes: class names in the model's order.

    Returns:
        One field a column, in the order in which people read them; probabilities
        are float32 and null where the image failed.
    """
    meaning = {column.name: column for column in PREDICTION_COLUMNS}

    def field(
        name: str, type_: pa.DataType, described_as: str | None = None
    ) -> pa.Field:
        column = meaning[described_as or name]
        metadata = {"description": column.meaning, "unit": column.unit}
        return pa.field(name, type_, metadata=metadata)

    return pa.schema(
        [
            field("object_id", object_id),
            *kept,
            field("predicted_class", pa.string()),
            field("confidence", pa.float32()),
            *(
                field(probability_column(name), pa.float32(), "probability_<class>")
                for name in classes
            ),
            field("status", pa.string()),
            field("error", pa.string()),
        ]
    )
