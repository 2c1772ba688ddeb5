"""What is known of a catalog's galaxies, whatever the head: labels, votes, numbers.

Knows the catalog's columns; it knows neither pixels nor networks.
"""

from collections import Counter
from typing import Any, Protocol

import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.config import TrainConfig
from galaxy_models.models.heads import Head, Outputs
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.formats import open_table
from galaxy_models.tables.vote_tables.decision_tree import read_tree
from galaxy_models.tables.vote_tables.vote_counts import VoteColumns, find_vote_columns
from galaxy_models.training.labels import Side, read_labels
from galaxy_models.training.targets import read_targets
from galaxy_models.training.votes import read_votes


class Truth(Protocol):
    """Labels of classes, votes, or measured numbers."""

    @property
    def head(self) -> Head:
        """What a network learns to say."""
        ...

    @property
    def counts(self) -> dict[Side, Counter[str]]:
        """Galaxies on each side of the split, by label where they have one."""
        ...

    @property
    def num_to_learn(self) -> int:
        """Galaxies to train and to validate with."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Labels in the order of their numbers; none where there are numbers."""
        ...

    @property
    def members(self) -> NDArray[Any] | None:
        """Which classes each label may be: bool, shape (labels, classes)."""
        ...

    @property
    def digest(self) -> str:
        """Names what is known of every galaxy, in the catalog's order."""
        ...

    def source_columns(self, catalog: Catalog, config: TrainConfig, /) -> list[str]:
        """The catalog's own names of the columns that hold it."""
        ...

    def label_column(
        self, rows: pa.Table, catalog: Catalog, config: TrainConfig, /
    ) -> pa.ChunkedArray | pa.Array:
        """Give what is known of some rows: texts, or lists of float32."""
        ...

    def label_weights(self, mode: str) -> tuple[float, ...] | None:
        """Weight of a galaxy of each label in the loss; None: all weigh 1."""
        ...

    def columns_of(
        self, targets: NDArray[Any], outputs: Outputs, /
    ) -> dict[str, NDArray[Any]]:
        """Lay out what is known of galaxies, and what was predicted, for a table."""
        ...

    def read_test_rows(self, catalog: Catalog, config: TrainConfig, /) -> pa.Table:
        """List the galaxies that training never sees, with what is known of them."""
        ...


def needed_columns(config: TrainConfig) -> tuple[list[str], VoteColumns | None]:
    """Find the columns that hold what is to be learned.

    Returns:
        Their names, as they are asked for or as the table has them; and which votes
        these are, if any.

    Raises:
        ConfigError: there is no such decision tree.
        CatalogError: there is no table, or it lacks an answer's column.
    """
    if config.target:
        return list(config.target), None
    if config.questions is None:
        return [config.label_column], None
    tree = read_tree(config.questions)
    table = open_table(storage.absolute_uri(config.catalog), "--catalog")
    columns = find_vote_columns(
        tree, table.schema.names, table.uri, config.volunteers_column
    )
    return columns.names, columns


def read_truth(
    catalog: Catalog, config: TrainConfig, votes: VoteColumns | None
) -> Truth:
    """Read what is known of all galaxies, and check it.

    Raises:
        CatalogError: it cannot be learned from.
    """
    if votes is not None:
        return read_votes(catalog, config, votes)
    if config.target:
        return read_targets(catalog, config)
    return read_labels(catalog, config)
