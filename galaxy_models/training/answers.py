"""What votes and measured numbers have in common, as what a network learns.

Knows the catalog's ids and the sides of its split; it knows neither pixels nor
networks.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig
from galaxy_models.errors import CatalogError
from galaxy_models.tables.catalog import Catalog
from galaxy_models.training.labels import Side


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Numbers of a catalog's galaxies; see ``Truth`` for what is here."""

    counts: dict[Side, Counter[str]]
    digest: str
    """SHA-256 of the numbers."""

    source: tuple[str, ...]
    """The catalog's own names of the columns that hold them."""

    is_test: NDArray[np.bool_] = field(
        default_factory=lambda: np.zeros(0, bool), compare=False
    )
    """Which of the catalog's galaxies are held back for tests, in its order."""

    names: tuple[str, ...] = ()
    members: None = None

    @property
    def num_to_learn(self) -> int:
        """Galaxies to train and to validate with."""
        return self.counts["training"].total() + self.counts["validation"].total()

    def label_weights(self, _mode: str, /) -> None:
        """All galaxies weigh the same, but for the likelihood."""

    def source_columns(self, _catalog: Catalog, _config: TrainConfig, /) -> list[str]:
        """See ``Truth``."""
        return list(self.source)

    def read_test_rows(self, catalog: Catalog, config: TrainConfig, /) -> pa.Table:
        """Their ids and the catalog's own columns."""
        columns = self.source_columns(catalog, config)
        names = [catalog.id_column, *columns]
        table = pa.Table.from_batches(catalog.table.read_batches(names)).select(names)
        table = table.rename_columns(["object_id", *columns])
        return table.filter(pa.array(self.is_test))


def count_sides(
    side_of: NDArray[np.object_], what: str, catalog: Catalog, config: TrainConfig
) -> dict[Side, Counter[str]]:
    """Count the galaxies on each side of the split.

    Args:
        side_of: of every galaxy.
        what: stands in place of a label.
        catalog: whose galaxies they are.
        config: the fractions of the split.

    Raises:
        CatalogError: a side is empty.
    """
    sides: list[Side] = ["training", "validation"]
    if config.test_fraction:
        sides.append("test")
    counts: Mapping[Side, int] = {side: int((side_of == side).sum()) for side in sides}
    for side, number in counts.items():
        if not number:
            raise CatalogError(
                f"the split of {catalog.uri} leaves no galaxy for {side}: "
                f"{catalog.num_rows} rows at --validation-fraction "
                f"{config.validation_fraction} and --test-fraction "
                f"{config.test_fraction}; add galaxies or change the fractions."
            )
    return {side: Counter({what: number}) for side, number in counts.items()}
