"""Joins rows of predictions with labels, by id, whatever both say of a galaxy.

Memory holds a byte a label. This module knows ids; it computes no metrics.
"""

from typing import Generic, Protocol, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.errors import PredictionsError
from galaxy_models.evaluation.predictions import Rows
from galaxy_models.tables.id_index import NOT_FOUND, IdIndex


class LabelsById(Protocol):
    """What is known of galaxies, looked up by id."""

    @property
    def uri(self) -> str:
        """The table."""
        ...

    @property
    def index(self) -> IdIndex:
        """Finds the row of an id."""
        ...

    @property
    def example_ids(self) -> tuple[str, ...]:
        """The first ids, for messages."""
        ...

    def __len__(self) -> int:
        """Give the number of galaxies."""
        ...


LabelsT = TypeVar("LabelsT", bound=LabelsById)


class IdJoin(Generic[LabelsT]):
    """Rows of predictions that have a label, as they come.

    Args:
        labels: what to look for.
        predictions_uri: for messages.
    """

    def __init__(self, labels: LabelsT, predictions_uri: str) -> None:
        self.labels = labels
        self.num_failed = 0
        """Rows with a label whose image failed."""

        self._uri = predictions_uri
        self._seen = np.zeros(len(labels), bool)
        self._example_ids: list[str] = []

    @property
    def num_found(self) -> int:
        """Labels that have a prediction, failed ones included."""
        return int(self._seen.sum())

    def find(self, rows: Rows) -> NDArray[np.int64]:
        """Look for the labels of further rows.

        Returns:
            int64, shape (rows,): place of each row's label, ``NOT_FOUND`` where none.

        Raises:
            PredictionsError: a galaxy that has a label is there more than once.
        """
        if not self._example_ids:
            self._example_ids = list(map(str, rows.object_ids[:2].to_pylist()))
        places = self.labels.index.find(rows.object_ids)
        is_found = places != NOT_FOUND
        self._check_once(rows.object_ids, places, places[is_found])
        self._seen[places[is_found]] = True
        self.num_failed += int((is_found & ~rows.is_ok).sum())
        return places

    def _check_once(
        self, ids: pa.Array, places: NDArray[np.int64], found: NDArray[np.int64]
    ) -> None:
        again = found[self._seen[found]]
        if not len(again) and len(np.unique(found)) < len(found):
            values, counts = np.unique(found, return_counts=True)
            again = values[counts > 1]
        if len(again):
            row = int(np.flatnonzero(places == again[0])[0])
            raise PredictionsError(
                f"{self._uri} has galaxy {ids[row]} more than once; name the "
                "predictions of one scoring with --predictions."
            )

    def check_any(self) -> None:
        """Refuse to measure nothing.

        Raises:
            PredictionsError: no row has a label, or all that have one failed.
        """
        if self.num_found == 0:
            raise PredictionsError(
                f"no id of --labels {self.labels.uri} (such as "
                f"{', '.join(self.labels.example_ids)}) is in --predictions "
                f"{self._uri} (such as {', '.join(self._example_ids)}); name the "
                "labels of the same galaxies, or their ids with --id-column."
            )
        if self.num_failed == self.num_found:
            raise PredictionsError(
                f"all {self.num_found} galaxies of --predictions {self._uri} that "
                "have a label failed; find out why in their column 'error', and score "
                "again."
            )
