"""Columns of predicted numbers: which measured numbers a table of them is about.

Each column says in its metadata of which number it gives the mean or the standard
deviation. This module knows columns only; it neither reads nor writes.
"""

from itertools import takewhile
from typing import NamedTuple

import pyarrow as pa

from galaxy_models.tables.prediction_schema import (
    TARGET,
    deviation_column,
    familiarity_column,
    mean_column,
)


class PredictedNumber(NamedTuple):
    """A measured number that a model predicts."""

    name: str
    """Of the column in the training's catalog."""

    unit: str = ""
    """As the VO writes it; empty for what has none."""

    @property
    def columns(self) -> tuple[str, str]:
        """Columns of the mean and of the standard deviation."""
        return mean_column(self.name), deviation_column(self.name)

    @property
    def title(self) -> str:
        """The name with the unit, for people."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


def numbers_of(predictions: pa.Schema) -> tuple[PredictedNumber, ...]:
    """Name the numbers that a table of predictions is about.

    What is predicted stands last before ``status``; columns that were kept, which stand
    before it, may be of an earlier scoring.

    Args:
        predictions: the table's.

    Returns:
        In the order of the columns; none for other predictions.
    """
    end = predictions.get_field_index("status")
    familiarity = familiarity_column(predictions)
    fields = [f for f in list(predictions)[: max(end, 0)] if f.name not in familiarity]
    of_numbers = takewhile(_is_of_number, reversed(fields))
    units: dict[str, str] = {}
    for field in reversed(list(of_numbers)):
        name = field.metadata[TARGET].decode()
        units.setdefault(name, field.metadata.get(b"unit", b"").decode())
    return tuple(PredictedNumber(name, unit) for name, unit in units.items())


def _is_of_number(field: pa.Field) -> bool:
    return TARGET in (field.metadata or {})
