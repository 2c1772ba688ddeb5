"""Volunteers' votes, as what a network learns.

Knows the catalog's ids and votes; it knows neither pixels nor networks.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig
from galaxy_models.models.heads import Outputs, VotesHead
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.prediction_schema import votes_column
from galaxy_models.tables.vote_tables.vote_counts import VoteColumns
from galaxy_models.training.answers import Answers, count_sides
from galaxy_models.training.labels import sides_of

VOTED_ON = "with votes"  # in place of a label, where galaxies are counted


@dataclass(frozen=True, kw_only=True)
class Votes(Answers):
    """The votes of a catalog's galaxies; read again where galaxies are decoded."""

    columns: VoteColumns

    @property
    def head(self) -> VotesHead:
        """What a network learns to say."""
        return VotesHead(self.columns.tree)

    def label_column(
        self, rows: pa.Table, catalog: Catalog, _config: TrainConfig, /
    ) -> pa.Array:
        """Lists of votes, in the tree's order."""
        votes = self.columns.read(rows, rows[catalog.id_column].to_pylist())
        return pa.FixedSizeListArray.from_arrays(votes.ravel(), votes.shape[1])

    def columns_of(
        self, targets: NDArray[np.float32], _outputs: Outputs, /
    ) -> dict[str, NDArray[Any]]:
        """Columns of the votes."""
        names = map(votes_column, self.columns.tree.columns)
        return dict(zip(names, targets.T, strict=True))


def read_votes(catalog: Catalog, config: TrainConfig, columns: VoteColumns) -> Votes:
    """Read and check a catalog's votes, on every side of the split.

    Args:
        catalog: a checked catalog.
        config: the fractions of the split.
        columns: where the votes are.

    Raises:
        CatalogError: as ``VoteColumns.read`` and ``check_totals``; or the split leaves
            a side empty.
    """
    digest, all_sides, most = hashlib.sha256(), [np.zeros(0, object)], 0.0
    totals = np.zeros(len(columns.answers))
    for batch in catalog.table.read_batches([catalog.id_column, *columns.names]):
        ids = batch.column(catalog.id_column)
        votes = columns.read(batch, ids.to_pylist())
        digest.update(votes.tobytes())
        sides = sides_of(ids, config)
        all_sides.append(sides)
        totals += votes[sides == "training"].sum(axis=0)
        most = max(most, float(votes.max(initial=0)))
    columns.check_totals(totals, most)
    side_of = np.concatenate(all_sides)
    return Votes(
        columns=columns,
        counts=count_sides(side_of, VOTED_ON, catalog, config),
        digest=digest.hexdigest(),
        source=tuple(columns.names),
        is_test=side_of == "test" if config.test_fraction else np.zeros(0, bool),
    )
