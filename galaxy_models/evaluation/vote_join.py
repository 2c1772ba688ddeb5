"""Joins predicted vote fractions with the votes of the same galaxies, by id.

Memory holds, of each galaxy with votes, its id and 12 bytes an answer. This module
knows tables and ids; it computes no metrics.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.config import EvaluateConfig
from galaxy_models.evaluation.id_join import IdJoin
from galaxy_models.evaluation.labels import open_labels, read_by_id
from galaxy_models.evaluation.predictions import PredictionBatch
from galaxy_models.evaluation.votes import (
    VoteErrors,
    measure_fractions,
    measure_votes,
)
from galaxy_models.models import dirichlet
from galaxy_models.tables.id_index import NOT_FOUND, IdIndex
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

    def __len__(self) -> int:
        return len(self.votes)


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
    table, id_column = open_labels(config)
    columns = find_vote_columns(
        tree, table.schema.names, table.uri, config.volunteers_column
    )
    ids, votes = read_by_id(
        table,
        id_column,
        columns.names,
        lambda batch: columns.read(batch, batch.column(id_column).to_pylist()),
    )
    return VoteLabels(
        uri=table.uri,
        tree=tree,
        index=IdIndex(ids, id_type),
        votes=votes,
        example_ids=tuple(map(str, ids[:2].to_pylist())),
    )


class VoteJoin(IdJoin[VoteLabels]):
    """Rows of predictions that have votes, as they come.

    Args:
        labels: what to look for.
        predictions_uri: for messages.
    """

    def __init__(self, labels: VoteLabels, predictions_uri: str) -> None:
        super().__init__(labels, predictions_uri)
        self._places: list[NDArray[np.int64]] = []
        self._answers: list[NDArray[np.float32]] = []

    def add(self, batch: PredictionBatch) -> None:
        """Look for the votes of a batch.

        Raises:
            PredictionsError: a galaxy that has votes is there more than once.
        """
        assert batch.answers is not None
        places = self.find(batch)
        is_used = (places != NOT_FOUND) & batch.is_ok
        self._places.append(places[is_used])
        self._answers.append(batch.answers[is_used])

    def conclude(self) -> VotesPart:
        """Measure what was joined.

        Raises:
            PredictionsError: nothing was, or all of it failed.
        """
        self.check_any()
        labels, answers = self.labels, np.concatenate(self._answers)
        votes = labels.votes[np.concatenate(self._places)]
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
            num_failed=self.num_failed,
            fractions=fractions,
            observed=dirichlet.observed_fractions(votes, labels.tree),
        )
