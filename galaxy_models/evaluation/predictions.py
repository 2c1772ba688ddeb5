"""Predictions -> batches of rows at the level of coarse classes.

This module knows neither labels nor metrics.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.evaluation.coarse_classes import CoarseClasses
from galaxy_models.tables.predictions import Predictions, read_predictions

FAILED = -1  # in place of a class


class Rows(Protocol):
    """Some rows, whatever is predicted of their galaxies."""

    @property
    def object_ids(self) -> pa.Array:
        """Ids, shape (rows,)."""
        ...

    @property
    def errors(self) -> pa.Array:
        """Texts; null where the image did not fail."""
        ...

    @property
    def is_ok(self) -> NDArray[np.bool_]:
        """Whether the image did not fail."""
        ...


@dataclass(frozen=True)
class PredictionBatch:
    """Some rows; arrays of shape (rows,) but for ``probabilities``."""

    object_ids: pa.Array
    probabilities: NDArray[np.float32]
    """Shape (rows, classes); NaN where the image failed."""

    errors: pa.Array
    """Texts; null where the image did not fail."""

    answers: NDArray[np.float32] | None = None
    """Of predicted votes: all fractions, then concentrations, if there are any."""

    plausible: NDArray[np.bool_] | None = None
    """Which classes are plausible, shape (rows, classes), if that was predicted."""

    familiarity: NDArray[np.float32] | None = None
    """NaN where the image failed; None where nobody asked for it."""

    @cached_property
    def is_ok(self) -> NDArray[np.bool_]:
        """Whether the image did not fail."""
        return ~np.isnan(self.probabilities[:, 0])

    @cached_property
    def predicted(self) -> NDArray[np.int64]:
        """Index of the most probable class; ``FAILED`` where the image failed."""
        return np.where(self.is_ok, self.probabilities.argmax(axis=1), FAILED)

    @cached_property
    def confidence(self) -> NDArray[np.float32]:
        """Probability of that class; NaN where the image failed."""
        return np.asarray(self.probabilities.max(axis=1), np.float32)


def read_batches(
    predictions: Predictions, classes: CoarseClasses
) -> Iterator[PredictionBatch]:
    """Read all rows, a batch at a time, in their order.

    Raises:
        PredictionsError: an id is null, or probabilities are none.
        CatalogError: a file cannot be read.
    """
    for rows in read_predictions(predictions):
        yield PredictionBatch(
            rows.object_ids,
            classes.sums(rows.probabilities),
            rows.errors,
            rows.answers,
            None if rows.plausible is None else classes.any_of(rows.plausible),
            rows.familiarity,
        )
