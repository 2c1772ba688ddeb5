"""Measured numbers, as what a network learns.

Knows the catalog's ids and columns; it knows neither pixels nor networks.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig
from galaxy_models.errors import CatalogError
from galaxy_models.models.heads import Outputs, RegressionHead, Target
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.columns import number_column
from galaxy_models.training.answers import Answers, count_sides
from galaxy_models.training.labels import sides_of

MEASURED = "measured"  # in place of a label, where galaxies are counted


@dataclass(frozen=True, kw_only=True)
class Targets(Answers):
    """The measured numbers of a catalog; read again where galaxies are decoded."""

    head: RegressionHead
    """What a network learns to say."""

    def label_column(
        self, rows: pa.Table, catalog: Catalog, _config: TrainConfig, /
    ) -> pa.Array:
        """Lists of numbers in standard units; NaN where one is missing."""
        names = [target.name for target in self.head.targets]
        centers = [target.center for target in self.head.targets]
        scales = [target.scale for target in self.head.targets]
        values = (_read(rows, names, catalog.uri) - centers) / scales
        flat = pa.array(values.astype(np.float32).ravel())
        return pa.FixedSizeListArray.from_arrays(flat, len(names))

    def columns_of(
        self, targets: NDArray[np.float32], _outputs: Outputs, /
    ) -> dict[str, NDArray[Any]]:
        """Columns of the numbers, in their own units."""
        return {
            target.name: column * target.scale + target.center
            for target, column in zip(self.head.targets, targets.T, strict=True)
        }


def read_targets(catalog: Catalog, config: TrainConfig) -> Targets:
    """Read and check the numbers of a catalog, on every side of the split.

    Raises:
        CatalogError: a column holds no numbers, an infinite one, or only one value; a
            galaxy has none of them; or the split leaves a side empty.
    """
    names = [catalog.column(name) for name in config.target]
    parts: list[NDArray[np.float64]] = [np.empty((0, len(names)))]
    sides: list[NDArray[Any]] = [np.empty(0, object)]
    for batch in catalog.table.read_batches([catalog.id_column, *names]):
        ids = batch.column(catalog.id_column)
        values = _read(batch, names, catalog.uri)
        _check(values, names, ids.to_pylist(), catalog.uri)
        parts.append(values)
        sides.append(sides_of(ids, config))
    table, side_of = np.concatenate(parts), np.concatenate(sides)
    counts = count_sides(side_of, MEASURED, catalog, config)
    head = RegressionHead(_targets(table[side_of == "training"], names, catalog))
    is_test = side_of == "test" if config.test_fraction else np.zeros(0, bool)
    digest = hashlib.sha256(table.tobytes()).hexdigest()
    return Targets(
        head=head, source=tuple(names), counts=counts, digest=digest, is_test=is_test
    )


def _targets(
    training: NDArray[np.float64], names: Sequence[str], catalog: Catalog
) -> tuple[Target, ...]:
    """Describe the columns, by the training galaxies."""
    targets = []
    for name, column in zip(names, training.T, strict=True):
        known = column[~np.isnan(column)]
        if not len(known) or not known.std() > 0:
            raise CatalogError(
                f"--target {name}: the training galaxies of {catalog.uri} have only "
                "one value of it, or none; there is nothing to learn."
            )
        said = catalog.schema.field(name).metadata or {}
        unit, ucd = (said.get(key, b"").decode() for key in (b"unit", b"ucd"))
        center, scale = float(known.mean()), float(known.std())
        targets.append(Target(name, center, scale, unit, ucd))
    return tuple(targets)


def _read(
    rows: pa.RecordBatch | pa.Table, names: Sequence[str], uri: str
) -> NDArray[np.float64]:
    """Read columns of numbers: shape (galaxies, columns), NaN where null."""
    remedy = "name another with --target"
    return np.column_stack([number_column(rows, name, uri, remedy) for name in names])


def _check(
    values: NDArray[np.float64], names: Sequence[str], ids: Sequence[object], uri: str
) -> None:
    is_wrong = np.isinf(values)
    if is_wrong.any():
        row, column = np.argwhere(is_wrong)[0].tolist()
        raise CatalogError(
            f"--target {names[column]}: infinite for galaxy {ids[row]} of {uri}; "
            "correct it, or leave the row out."
        )
    is_empty = np.isnan(values).all(axis=1)
    if is_empty.any():
        row = int(np.argmax(is_empty))
        raise CatalogError(
            f"{int(is_empty.sum())} galaxies of {uri}, such as {ids[row]}, have no "
            f"{' nor '.join(names)}; leave these rows out."
        )
