"""Joins predicted vote fractions with the votes of the same galaxies, by id.

Memory holds, of each galaxy with votes, its id and 12 bytes an answer. This module
knows tables and ids; it computes no metrics.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.config import EvaluateConfig
from galaxy_models.errors import PredictionsError
from galaxy_models.evaluation.predictions import PredictionBatch
from galaxy_models.evaluation.votes import (
    VoteErrors,
    measure_fractions,
    measure_votes,
)
from galaxy_models.models import dirichlet
from galaxy_models.tables.columns import find_column
from galaxy_models.tables.formats import open_table
from galaxy_models.tables.id_index import NOT_FOUND, IdIndex
from galaxy_models.tables.object_ids import fingerprint_ids
from galaxy_models.tables.vote_tables.decision_tree import DecisionTree
from galaxy_models.tables.vote_tables.vote_counts import find_vote_columns


@dataclass(frozen=True)
class VoteLabels:
    """Votes of galaxies, in memory, looked up by id."""

    uri: str
    tree: DecisionTree
    index: IdIndex
    votes: dirichlet.Answers
    example_ids: tuple[str, ...]


@dataclass(frozen=True)
class VotesPart:
    """The predictions of galaxies that have votes."""

    labels: VoteLabels
    errors: VoteErrors
    num: int
    """Galaxies compared."""

    num_failed: int
    """Further ones whose image failed."""

    fractions: dirichlet.Answers
    """Predicted, shape (num, answers)."""

    observed: dirichlet.Answers
    """Fractions of the votes, of the same shape; NaN where nobody was asked."""


def read_vote_labels(
    config: EvaluateConfig, tree: DecisionTree, id_type: pa.DataType
) -> VoteLabels:
    """Read the votes that ``--labels`` names.

    Raises:
        CatalogError: as ``find_vote_columns`` and ``VoteColumns.read``; or ids are
            repeated or null.
    """
    table = open_table(storage.absolute_uri(str(config.labels)), "--labels")
    names = table.schema.names
    id_column = find_column(
        config.id_column, names, table.uri, ("object_id",), table.stated_columns
    )
    columns = find_vote_columns(tree, names, table.uri, config.volunteers_column)
    table = table.with_text(id_column)
    fingerprint_ids(table, id_column, "leave one row for each galaxy")
    ids, votes = [], [np.empty((0, len(tree.columns)), np.float32)]
    for batch in table.read_batches([id_column, *columns.names]):
        ids.append(batch.column(id_column))
        votes.append(columns.read(batch, ids[-1].to_pylist()))
    all_ids = pa.chunked_array(ids)
    return VoteLabels(
        uri=table.uri,
        tree=tree,
        index=IdIndex(all_ids, id_type),
        votes=np.concatenate(votes),
        example_ids=tuple(map(str, all_ids[:2].to_pylist())),
    )


class VoteJoin:
    """Rows of predictions that have votes, as they come.

    Args:
        labels: what to look for.
        predictions_uri: for messages.
    """

    def __init__(self, labels: VoteLabels, predictions_uri: str) -> None:
        self.labels = labels
        self._uri = predictions_uri
        self._is_seen = np.zeros(len(labels.votes), bool)
        self._places: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        self._answers: list[NDArray[np.float32]] = []
        self._num_failed = 0
        self._example_ids: list[str] = []

    def add(self, batch: PredictionBatch) -> None:
        """Look for the votes of a batch.

        Raises:
            PredictionsError: a galaxy that has votes is there more than once.
        """
        assert batch.answers is not None
        if not self._example_ids:
            self._example_ids = list(map(str, batch.object_ids[:2].to_pylist()))
        places = self.labels.index.find(batch.object_ids)
        is_found = places != NOT_FOUND
        found = places[is_found]
        if self._is_seen[found].any() or len(np.unique(found)) < len(found):
            raise PredictionsError(
                f"{self._uri} has galaxies more than once; name the predictions of one "
                "scoring with --predictions."
            )
        self._is_seen[found] = True
        is_used = is_found & batch.is_ok
        self._num_failed += int((is_found & ~batch.is_ok).sum())
        self._places.append(places[is_used])
        self._answers.append(batch.answers[is_used])

    def conclude(self) -> VotesPart:
        """Measure what was joined.

        Raises:
            PredictionsError: nothing was.
        """
        labels, places = self.labels, np.concatenate(self._places)
        if not len(places):
            raise PredictionsError(
                f"no id of --labels {labels.uri} (such as "
                f"{', '.join(labels.example_ids)}) is in --predictions {self._uri} "
                f"(such as {', '.join(self._example_ids)}), or all of these failed; "
                "name the votes of the same galaxies, or their ids with --id-column."
            )
        votes, answers = labels.votes[places], np.concatenate(self._answers)
        num_answers = len(labels.tree.columns)
        fractions, concentrations = answers[:, :num_answers], answers[:, num_answers:]
        if concentrations.shape[1]:
            errors = measure_votes(votes, concentrations, labels.tree)
        else:
            errors = measure_fractions(votes, fractions, labels.tree)
        return VotesPart(
            labels=labels,
            errors=errors,
            num=len(votes),
            num_failed=self._num_failed,
            fractions=fractions,
            observed=dirichlet.observed_fractions(votes, labels.tree),
        )
