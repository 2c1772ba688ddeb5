"""Joins predicted numbers with measured ones of the same galaxies, by id.

Memory holds, of each galaxy with labels, its id and 8 bytes a number, and 24 more where
it is predicted. This module knows tables and ids; it computes no metrics.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.config import EvaluateConfig
from galaxy_models.errors import CatalogError
from galaxy_models.evaluation.id_join import IdJoin
from galaxy_models.evaluation.labels import open_labels, read_by_id
from galaxy_models.evaluation.numbers.errors import (
    NumberErrors,
    Numbers,
    measure_number,
)
from galaxy_models.tables.columns import number_column
from galaxy_models.tables.formats import Table
from galaxy_models.tables.id_index import NOT_FOUND, IdIndex
from galaxy_models.tables.number_columns import PredictedNumber
from galaxy_models.tables.predictions import NumberRows, Predictions


@dataclass(frozen=True)
class NumberLabels:
    """Measured numbers of galaxies, in memory, looked up by id."""

    uri: str
    numbers: tuple[PredictedNumber, ...]
    """In the predictions' units."""

    other_units: dict[str, str]
    """Units that the table itself gives, where they are others, by number."""

    index: IdIndex
    values: Numbers
    """Shape (galaxies, numbers); NaN where none is known."""

    example_ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class NumbersPart:
    """The predictions of galaxies whose numbers were measured."""

    labels: NumberLabels
    errors: tuple[NumberErrors, ...]
    num: int
    """Galaxies that have labels and a prediction."""

    num_failed: int
    """Further ones whose image failed."""

    num_found: int
    """Both together."""

    truths: Numbers
    """Measured, shape (num, numbers); NaN where none is known."""

    means: Numbers
    """Predicted, of the same shape."""


def read_number_labels(
    config: EvaluateConfig, predictions: Predictions
) -> NumberLabels:
    """Read the measured numbers that ``--labels`` has in columns of their names.

    Raises:
        CatalogError: a column is missing, or holds text or no finite number; or ids
            are repeated or null.
    """
    table, id_column = open_labels(config)
    numbers = predictions.numbers
    names = [one.name for one in numbers]
    _check_columns(table, names)
    ids, values = read_by_id(
        table, id_column, names, lambda batch: _values(batch, names, table.uri)
    )
    for name, column in zip(names, values.T, strict=True):
        if np.isnan(column).all():
            raise CatalogError(
                f"column {name!r} of --labels {table.uri} holds no finite number; name "
                "a table in which it was measured."
            )
    return NumberLabels(
        uri=table.uri,
        numbers=numbers,
        other_units=_other_units(table.schema, numbers),
        index=IdIndex(ids, predictions.table.schema.field("object_id").type),
        values=values,
        example_ids=tuple(map(str, ids[:2].to_pylist())),
    )


def _check_columns(table: Table, names: Sequence[str]) -> None:
    there = table.schema.names
    missing = [name for name in names if name not in there]
    if missing:
        raise CatalogError(
            f"--labels {table.uri} has no column {' or '.join(map(repr, missing))}, "
            f"which was predicted; it has {', '.join(there)}. Name a table with these "
            "columns, or rename the ones that hold the same."
        )


def _values(batch: pa.RecordBatch, names: Sequence[str], uri: str) -> Numbers:
    """Read the numbers of some galaxies; NaN where one is missing or infinite."""
    remedy = "name a table in which it holds the measured number with --labels"
    columns = [number_column(batch, name, uri, remedy) for name in names]
    values = np.column_stack(columns)
    return np.where(np.isfinite(values), values, np.nan)


def _other_units(
    schema: pa.Schema, numbers: Sequence[PredictedNumber]
) -> dict[str, str]:
    known = {
        one.name: (schema.field(one.name).metadata or {}).get(b"unit", b"").decode()
        for one in numbers
    }
    return {
        one.name: known[one.name]
        for one in numbers
        if one.unit and known[one.name] not in ("", one.unit)
    }


class NumberJoin(IdJoin[NumberLabels]):
    """Rows of predictions whose numbers were measured, as they come.

    Args:
        labels: what to look for.
        predictions_uri: for messages.
    """

    def __init__(self, labels: NumberLabels, predictions_uri: str) -> None:
        super().__init__(labels, predictions_uri)
        self._truths: list[Numbers] = []
        self._means: list[NDArray[np.float32]] = []
        self._deviations: list[NDArray[np.float32]] = []

    def add(self, rows: NumberRows) -> Numbers:
        """Look for the measured numbers of a batch.

        Returns:
            Shape (rows, numbers); NaN where none is known.

        Raises:
            PredictionsError: a galaxy that has labels is there more than once.
        """
        places = self.find(rows)
        is_found = places != NOT_FOUND
        truths = np.where(is_found[:, None], self.labels.values[places], np.nan)
        is_used = is_found & rows.is_ok
        self._truths.append(truths[is_used])
        self._means.append(rows.means[is_used])
        self._deviations.append(rows.deviations[is_used])
        return truths

    def conclude(self) -> NumbersPart:
        """Measure what was joined.

        Raises:
            PredictionsError: nothing was, or all of it failed.
        """
        self.check_any()
        truths = np.concatenate(self._truths)
        means = np.concatenate(self._means).astype(float)
        deviations = np.concatenate(self._deviations).astype(float)
        is_known = ~np.isnan(truths)
        errors = tuple(
            measure_number(
                number,
                *(array[is_known[:, i], i] for array in (truths, means, deviations)),
            )
            for i, number in enumerate(self.labels.numbers)
        )
        return NumbersPart(
            labels=self.labels,
            errors=errors,
            num=len(truths),
            num_failed=self.num_failed,
            num_found=self.num_found,
            truths=truths,
            means=means,
        )
