"""Reads the predictions of jobs.score: ids, what is predicted and errors, checked.

Memory holds only the batches that Arrow reads ahead, for any number of rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.errors import PredictionsError
from galaxy_models.storage.output_folder import UNFINISHED_NAME
from galaxy_models.tables.formats import ParquetTable, open_table
from galaxy_models.tables.number_columns import PredictedNumber, numbers_of
from galaxy_models.tables.prediction_schema import (
    CLASS_LIST,
    PLAUSIBLE_COLUMN,
    STATUS_OK,
    classes_of,
    concentration_column,
    familiarity_column,
    fraction_column,
    probability_column,
)
from galaxy_models.tables.vote_columns import tree_of
from galaxy_models.tables.vote_tables.decision_tree import DecisionTree

NEEDED_COLUMNS = ("object_id", "status", "error")
CLASS_COLUMNS = ("object_id", "confidence", "status", "error")
LEAST_TOLERANCE = 0.02  # of a sum of probabilities
STEP_OF_8_BITS = 1 / 256  # by which an 8-bit softmax may be off in every class
Kind = Literal["classes", "votes", "numbers"]


@dataclass(frozen=True)
class Predictions:
    """Predictions that were opened but not read."""

    table: ParquetTable
    classes: tuple[str, ...]
    """The model's, in its order; of votes the answers to the first question; of numbers
    none."""

    is_unfinished: bool
    """Whether the scoring has not finished: these are its first rows."""

    remedy: str
    """What to do where they are something else."""

    tree: DecisionTree | None = None
    """The questions, where these are predicted votes."""

    numbers: tuple[PredictedNumber, ...] = ()
    """What was predicted, where these are numbers."""

    @property
    def kind(self) -> Kind:
        """What was predicted."""
        if self.numbers:
            return "numbers"
        return "classes" if self.tree is None else "votes"

    @property
    def columns(self) -> list[str]:
        """Columns of the probabilities of ``classes``."""
        if self.tree is None:
            return list(map(probability_column, self.classes))
        return list(map(fraction_column, self.tree.questions[0].columns))

    @property
    def answer_columns(self) -> list[str]:
        """Columns of all fractions, and of concentrations if there are any."""
        if self.tree is None:
            return []
        fractions = list(map(fraction_column, self.tree.columns))
        concentrations = list(map(concentration_column, self.tree.columns))
        has_posterior = set(concentrations) <= set(self.table.schema.names)
        return fractions + concentrations if has_posterior else fractions

    @property
    def has_plausible(self) -> bool:
        """Whether there is a list of plausible classes for each galaxy."""
        is_there = PLAUSIBLE_COLUMN in self.table.schema.names
        return is_there and self.table.schema.field(PLAUSIBLE_COLUMN).type == CLASS_LIST

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

    answers: NDArray[np.float32]
    """Of predicted votes, what stands in ``answer_columns``: shape (rows, columns)."""

    plausible: NDArray[np.bool_] | None
    """Which classes are plausible, shape (rows, classes); None if that is not there."""

    familiarity: NDArray[np.float32] | None = None
    """Shape (rows,); NaN where the image failed. None where nobody asked for it."""


@dataclass(frozen=True)
class NumberRows:
    """Some rows of predicted numbers."""

    object_ids: pa.Array
    means: NDArray[np.float32]
    """Shape (rows, numbers); NaN where the image failed."""

    deviations: NDArray[np.float32]
    """Standard deviations, of the same shape, above 0; NaN where the image failed."""

    errors: pa.Array
    """Texts; null where the image did not fail."""

    familiarity: NDArray[np.float32] | None = None
    """As of ``PredictedRows``."""

    @cached_property
    def is_ok(self) -> NDArray[np.bool_]:
        """Whether the image did not fail."""
        return ~np.isnan(self.means[:, 0])


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
    numbers = numbers_of(table.schema)
    tree = None if numbers else tree_of(table.schema, table.uri)
    needed = CLASS_COLUMNS if tree is None and not numbers else NEEDED_COLUMNS
    columns = [column for number in numbers for column in number.columns]
    missing = [name for name in (*needed, *columns) if name not in names]
    if missing:
        raise PredictionsError(
            f"{table.uri} has no column {', '.join(missing)}, so it is no table of "
            f"predictions; it has {', '.join(names)}; {remedy}."
        )
    is_unfinished = _is_unfinished(table)
    if numbers:
        return Predictions(table, (), is_unfinished, remedy, numbers=numbers)
    if tree is not None:
        answers = tree.questions[0].answers
        return Predictions(table, answers, is_unfinished, remedy, tree)
    classes = classes_of(table.schema)
    if len(classes) < 2:
        raise PredictionsError(
            f"{table.uri} has {len(classes)} column(s) probability_<class> after "
            f"'confidence', and needs two or more; {remedy}."
        )
    return Predictions(table, classes, is_unfinished, remedy)


def _is_unfinished(table: ParquetTable) -> bool:
    """Whether a scoring that has not finished writes to a folder of these files."""
    folders = dict.fromkeys(map(storage.parent, table.uris))
    return any(
        storage.is_file(storage.join(folder, UNFINISHED_NAME)) for folder in folders
    )


def read_predictions(predictions: Predictions) -> Iterator[PredictedRows]:
    """Read all rows of classes or votes, a batch at a time, in their order.

    Raises:
        PredictionsError: an id is null, or probabilities are none.
        CatalogError: a file cannot be read.
    """
    columns, answers = predictions.columns, predictions.answer_columns
    familiar = familiarity_column(predictions.table.schema)
    needed = dict.fromkeys(
        ["object_id", "status", "error", *columns, *answers, *familiar]
    )
    if predictions.has_plausible:
        needed[PLAUSIBLE_COLUMN] = None
    for rows in predictions.table.read_batches(list(needed)):
        is_ok = _is_ok(predictions, rows)
        probabilities = _numbers(rows, columns)
        _check_probabilities(predictions, probabilities[is_ok])
        probabilities[~is_ok] = np.nan
        plausible = None
        if predictions.has_plausible:
            plausible = _members(rows[PLAUSIBLE_COLUMN], predictions.classes)
        yield PredictedRows(
            object_ids=rows["object_id"],
            probabilities=probabilities,
            errors=rows["error"],
            answers=_numbers(rows, answers),
            plausible=plausible,
            familiarity=_numbers(rows, familiar)[:, 0] if familiar else None,
        )


def read_numbers(predictions: Predictions) -> Iterator[NumberRows]:
    """Read all rows of predicted numbers, a batch at a time, in their order.

    Raises:
        PredictionsError: an id is null, a mean is no number, or a standard deviation
            is not above 0.
        CatalogError: a file cannot be read.
    """
    means, deviations = zip(*(one.columns for one in predictions.numbers), strict=True)
    familiar = familiarity_column(predictions.table.schema)
    columns = ["object_id", "status", "error", *means, *deviations, *familiar]
    for rows in predictions.table.read_batches(columns):
        is_ok = _is_ok(predictions, rows)
        numbers = _numbers(rows, [*means, *deviations])
        numbers[~is_ok] = np.nan
        found, spread = np.split(numbers, 2, axis=1)
        if not (np.isfinite(numbers[is_ok]).all() and (spread[is_ok] > 0).all()):
            raise PredictionsError(
                f"{predictions.uri} has rows whose status is ok but whose means are "
                "null or infinite, or whose standard deviations are not above 0; score "
                "the catalog again."
            )
        yield NumberRows(
            object_ids=rows["object_id"],
            means=found,
            deviations=spread,
            errors=rows["error"],
            familiarity=_numbers(rows, familiar)[:, 0] if familiar else None,
        )


def _members(lists: pa.ListArray, classes: Sequence[str]) -> NDArray[np.bool_]:
    """Say which classes stand in each list: bool, shape (rows, classes)."""
    places = pc.index_in(lists.flatten(), pa.array(classes)).fill_null(-1).to_numpy()
    rows = pc.list_parent_indices(lists).to_numpy()
    members = np.zeros((len(lists), len(classes)), bool)
    members[rows[places >= 0], places[places >= 0]] = True
    return members


def _numbers(rows: pa.RecordBatch, columns: Sequence[str]) -> NDArray[np.float32]:
    """Put columns of numbers side by side: shape (rows, columns)."""
    numbers = np.empty((len(rows), len(columns)), np.float32)
    for index, name in enumerate(columns):
        values = rows[name].cast(pa.float32()).to_numpy(zero_copy_only=False)
        numbers[:, index] = values
    return numbers


def _is_ok(predictions: Predictions, rows: pa.RecordBatch) -> NDArray[np.bool_]:
    """Say which rows did not fail, and check the ids of all."""
    if rows["object_id"].null_count:
        raise PredictionsError(
            f"column 'object_id' of {predictions.uri} is null in some rows; "
            f"{predictions.remedy}."
        )
    is_ok = pc.equal(rows["status"], STATUS_OK)
    return np.asarray(is_ok.to_numpy(zero_copy_only=False))


def _check_probabilities(
    predictions: Predictions, probabilities: NDArray[np.float32]
) -> None:
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
