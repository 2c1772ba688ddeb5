"""Knowledge distillation: training on labels mixed with a teacher's probabilities.

A label names one class; a probability tells how alike a galaxy is to the others, and
where a label is wrong or coarse. The driver and every worker hold all ids, as
``id_index`` does, and 4 bytes a galaxy and class. This module knows ids and
probabilities; it knows neither pixels nor networks.

Source:
    Hinton, Vinyals & Dean 2015, arXiv:1503.02531.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig
from galaxy_models.errors import PredictionsError
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.id_index import NOT_FOUND, IdIndex
from galaxy_models.tables.object_ids import fingerprint_ids, shown
from galaxy_models.tables.predictions import open_predictions, read_predictions

Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class Teacher:
    """Probabilities of a catalog's galaxies, by id."""

    index: IdIndex
    probabilities: Probabilities
    """Shape (galaxies, classes); 0 in every class of a galaxy that is unknown to it."""

    def of(self, object_ids: NDArray[np.generic]) -> Probabilities:
        """Look galaxies up.

        Args:
            object_ids: of the catalog, shape (galaxies,).

        Returns:
            Shape (galaxies, classes), each adding up to 1, or to 0 if unknown.
        """
        return self.probabilities[self.index.find(pa.array(object_ids))]

    @property
    def digest(self) -> str:
        """Names what it says."""
        return hashlib.sha256(self.probabilities.tobytes()).hexdigest()


def read_teacher(
    config: TrainConfig, catalog: Catalog, classes: tuple[str, ...]
) -> Teacher | None:
    """Read and average the predictions that training is to learn from.

    Args:
        config: names the tables.
        catalog: whose galaxies they are of.
        classes: the catalog's, in order.

    Returns:
        None without ``--teacher``.

    Raises:
        PredictionsError: a table holds no predictions, those of other classes, of an
            unfinished scoring, or lacks a galaxy of the catalog.
        CatalogError: a table is not there, or repeats an id.
    """
    if not config.teacher:
        return None
    ids = _ids_of(catalog)
    index = IdIndex(ids, catalog.id_type)
    total = np.zeros((len(ids), len(classes)), np.float32)
    for uri in config.teacher:
        total += _read_table(uri, catalog, index, len(ids), classes)
    sums = total.sum(axis=1, keepdims=True)
    mean = np.divide(total, sums, where=sums > 0, out=np.zeros_like(total))
    return Teacher(index, mean)


def _ids_of(catalog: Catalog) -> pa.ChunkedArray:
    batches = catalog.table.read_batches([catalog.id_column])
    return pa.chunked_array(
        [batch.column(catalog.id_column) for batch in batches], catalog.id_type
    )


def _read_table(
    uri: str,
    catalog: Catalog,
    index: IdIndex,
    num_galaxies: int,
    classes: tuple[str, ...],
) -> Probabilities:
    """Read one model's probabilities, in the catalog's order; 0 where it failed."""
    predictions = open_predictions(uri, "--teacher")
    if predictions.is_unfinished:
        raise PredictionsError(
            f"--teacher {uri}: the scoring has not finished; give its command again."
        )
    if set(predictions.classes) != set(classes):
        raise PredictionsError(
            f"--teacher {uri} has probabilities of "
            f"{shown(list(predictions.classes)) or 'no classes'}; "
            f"the classes to learn are {shown(list(classes))}. Score with a model of "
            "those."
        )
    fingerprint_ids(predictions.table, "object_id", "leave one row for each galaxy")
    order = [predictions.classes.index(name) for name in classes]
    probabilities = np.zeros((num_galaxies, len(classes)), np.float32)
    is_there = np.zeros(num_galaxies, bool)
    for rows in read_predictions(predictions):
        places = index.find(rows.object_ids)
        is_known = places != NOT_FOUND
        places = places[is_known]
        is_there[places] = True
        probabilities[places] = np.nan_to_num(rows.probabilities[is_known][:, order])
    if not is_there.all():
        raise PredictionsError(
            f"--teacher {uri} lacks {np.sum(~is_there)} of the {num_galaxies} galaxies "
            f"of {catalog.uri}; score that catalog."
        )
    return probabilities
