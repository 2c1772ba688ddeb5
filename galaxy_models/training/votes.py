"""Volunteers' votes, as what a network learns.

Knows the catalog's ids and votes; it knows neither pixels nor networks.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig
from galaxy_models.errors import CatalogError
from galaxy_models.models.heads import Outputs, VotesHead
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.prediction_schema import votes_column
from galaxy_models.tables.vote_tables.vote_counts import VoteColumns
from galaxy_models.training.labels import Side, sides_of

VOTED_ON = "with votes"  # in place of a label, where galaxies are counted


@dataclass(frozen=True)
class Votes:
    """The votes of a catalog's galaxies; read again where galaxies are decoded."""

    columns: VoteColumns
    counts: dict[Side, Counter[str]]
    digest: str
    """SHA-256 of the votes."""

    is_test: NDArray[np.bool_] = field(
        default_factory=lambda: np.zeros(0, bool), compare=False
    )
    """Which of the catalog's galaxies are held back for tests, in its order."""

    names: tuple[str, ...] = ()
    members: None = None

    @property
    def head(self) -> VotesHead:
        """What a network learns to say."""
        return VotesHead(self.columns.tree)

    @property
    def num_to_learn(self) -> int:
        """Galaxies to train and to validate with."""
        return self.counts["training"].total() + self.counts["validation"].total()

    def source_columns(self, _catalog: Catalog, _config: TrainConfig, /) -> list[str]:
        """See ``Truth``."""
        return self.columns.names

    def label_column(
        self, rows: pa.Table, catalog: Catalog, _config: TrainConfig, /
    ) -> pa.Array:
        """Lists of votes, in the tree's order."""
        votes = self.columns.read(rows, rows[catalog.id_column].to_pylist())
        return pa.FixedSizeListArray.from_arrays(votes.ravel(), votes.shape[1])

    def label_weights(self, mode: str) -> None:
        """Galaxies weigh by their votes alone."""

    def columns_of(
        self, targets: NDArray[np.float32], _outputs: Outputs, /
    ) -> dict[str, NDArray[Any]]:
        """Columns of the votes."""
        names = map(votes_column, self.columns.tree.columns)
        return dict(zip(names, targets.T, strict=True))

    def read_test_rows(self, catalog: Catalog, _config: TrainConfig, /) -> pa.Table:
        """Their ids and the catalog's own columns of votes."""
        names = [catalog.id_column, *self.columns.names]
        batches = catalog.table.read_batches(names)
        table = pa.Table.from_batches(batches).select(names)
        table = table.rename_columns(["object_id", *self.columns.names])
        return table.filter(pa.array(self.is_test))


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
    counts: dict[Side, Counter[str]] = {"training": Counter(), "validation": Counter()}
    if config.test_fraction:
        counts["test"] = Counter()
    digest, is_test, most = hashlib.sha256(), [np.zeros(0, bool)], 0.0
    totals = np.zeros(len(columns.answers))
    for batch in catalog.table.read_batches([catalog.id_column, *columns.names]):
        ids = batch.column(catalog.id_column)
        votes = columns.read(batch, ids.to_pylist())
        digest.update(votes.tobytes())
        sides = sides_of(ids, config)
        for side, counter in counts.items():
            counter[VOTED_ON] += int((sides == side).sum())
        is_test.append(sides == "test")
        totals += votes[sides == "training"].sum(axis=0)
        most = max(most, float(votes.max(initial=0)))
    columns.check_totals(totals, most)
    for side, counter in counts.items():
        if not counter[VOTED_ON]:
            raise CatalogError(
                f"the split of {catalog.uri} leaves no galaxy for {side}: "
                f"{catalog.num_rows} rows at --validation-fraction "
                f"{config.validation_fraction} and --test-fraction "
                f"{config.test_fraction}; add galaxies or change the fractions."
            )
    held_back = np.concatenate(is_test) if config.test_fraction else np.zeros(0, bool)
    return Votes(columns, counts, digest.hexdigest(), held_back)
