"""Labels, and the side of the split that each galaxy is on.

Knows the catalog's ids and labels; it knows neither pixels nor networks.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig
from galaxy_models.config.label_groups import LabelGroups, members, parse_label_groups
from galaxy_models.errors import CatalogError
from galaxy_models.models.heads import ClassesHead, Outputs
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.object_ids import shown

Side = Literal["training", "validation", "test"]


@dataclass(frozen=True)
class Labels:
    """What a catalog's galaxies are called: classes, and coarser groups of them."""

    counts: dict[Side, Counter[str]]
    """Galaxies a label, on each side of the split."""

    groups: LabelGroups
    is_test: NDArray[np.bool_] = field(
        default_factory=lambda: np.zeros(0, bool), compare=False
    )
    """Which of the catalog's galaxies are held back for tests, in its order."""

    digest: str = ""
    """SHA-256 of the labels, in the catalog's order."""

    @property
    def totals(self) -> Counter[str]:
        """Galaxies a label, on all sides."""
        return sum(self.counts.values(), Counter[str]())

    @property
    def num_to_learn(self) -> int:
        """Galaxies to train and to validate with."""
        return self.counts["training"].total() + self.counts["validation"].total()

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the network's outputs."""
        return tuple(sorted(set(self.totals) - set(self.groups)))

    @property
    def names(self) -> tuple[str, ...]:
        """Classes, then groups: every label by its index."""
        return (*self.classes, *self.groups)

    @property
    def members(self) -> NDArray[np.bool_]:
        """Which classes each label may be: shape (labels, classes)."""
        return members(self.names, self.classes, self.groups)

    @property
    def head(self) -> ClassesHead:
        """What a network learns to say."""
        return ClassesHead(self.classes)

    def source_columns(self, catalog: Catalog, config: TrainConfig, /) -> list[str]:
        """The catalog's own name of the column of labels."""
        return [catalog.column(config.label_column)]

    def label_column(
        self, rows: pa.Table, catalog: Catalog, config: TrainConfig, /
    ) -> pa.ChunkedArray:
        """Labels as the catalog has them."""
        return rows[catalog.column(config.label_column)]

    def label_weights(self, mode: str) -> tuple[float, ...]:
        """See ``label_weights`` below."""
        return label_weights(mode, self)

    def columns_of(
        self, targets: NDArray[np.int32], outputs: Outputs, /
    ) -> dict[str, NDArray[Any]]:
        """Columns ``label`` and ``predicted_class``."""
        names, classes = np.asarray(self.names), np.asarray(self.classes)
        return {
            "label": names[targets],
            "predicted_class": classes[outputs.argmax(axis=1)],
        }

    def read_test_rows(self, catalog: Catalog, config: TrainConfig, /) -> pa.Table:
        """See ``read_test_labels``."""
        return read_test_labels(catalog, config, self)


def read_labels(catalog: Catalog, config: TrainConfig) -> Labels:
    """Count a catalog's labels on every side of the split.

    Args:
        catalog: a checked catalog.
        config: column, groups and fractions.

    Raises:
        CatalogError: the labels are the ids, or null; two differ only by blanks; there
            are fewer than 2 classes, or fewer than 2 galaxies in one; a group names a
            class that no galaxy has; or the split leaves a side empty.
    """
    groups = parse_label_groups(config.label_groups)
    counts: dict[Side, Counter[str]] = {"training": Counter(), "validation": Counter()}
    if config.test_fraction:
        counts["test"] = Counter()
    is_test, digest = [np.zeros(0, bool)], hashlib.sha256()
    for ids, names in _read_names(catalog, config):
        digest.update("".join(map(json.dumps, names)).encode())
        sides = sides_of(ids, config)
        for side, counter in counts.items():
            counter.update(names[sides == side].tolist())
        if config.test_fraction:
            is_test.append(sides == "test")
    labels = Labels(counts, groups, np.concatenate(is_test), digest.hexdigest())
    _check_classes(labels, config.label_column, catalog.uri)
    for side, counter in counts.items():
        if not any(counter[name] for name in labels.classes):
            raise CatalogError(
                f"the split of {catalog.uri} leaves no galaxy of a class for {side}: "
                f"{catalog.num_rows} rows at --validation-fraction "
                f"{config.validation_fraction} and --test-fraction "
                f"{config.test_fraction}; add galaxies or change the fractions."
            )
    return labels


def read_test_labels(catalog: Catalog, config: TrainConfig, labels: Labels) -> pa.Table:
    """List the galaxies that training never sees.

    Args:
        catalog: a checked catalog.
        config: its column of labels.
        labels: what ``read_labels`` found.

    Returns:
        Columns ``object_id`` and ``label``, in the catalog's order.
    """
    tables, start = [], 0
    for ids, names in _read_names(catalog, config):
        is_test = labels.is_test[start : start + len(ids)]
        start += len(ids)
        table = pa.table({"object_id": ids, "label": pa.array(names, pa.string())})
        tables.append(table.filter(pa.array(is_test)))
    return pa.concat_tables(tables)


def _read_names(
    catalog: Catalog, config: TrainConfig
) -> Iterator[tuple[pa.Array, NDArray[Any]]]:
    """Give ids and labels, some rows at a time."""
    column = catalog.column(config.label_column)
    if column == catalog.id_column:
        raise CatalogError(
            f"--label-column {column}: that is the column of ids in "
            f"{catalog.uri}; name the column of class names."
        )
    for batch in catalog.table.read_batches([catalog.id_column, column]):
        names = label_texts(batch.column(column), column, catalog.uri)
        # FITS has no null text: an empty one says so there.
        num_empty = sum(name is None or not name.strip() for name in names)
        if num_empty:
            raise CatalogError(
                f"column {column!r} of {catalog.uri} is null or empty in {num_empty} "
                "row(s); label them or leave them out."
            )
        yield batch.column(catalog.id_column), names


def label_texts(labels: pa.Array, label_column: str, uri: str) -> NDArray[Any]:
    """Spell labels of any type as class names.

    Raises:
        CatalogError: the column holds something that has no text.
    """
    try:
        return np.asarray(labels.cast(pa.string()).to_pylist(), dtype=object)
    except pa.ArrowException as error:
        raise CatalogError(
            f"column {label_column!r} of {uri} holds {labels.type}, not class names "
            f"({error}); name another with --label-column."
        ) from error


def sides_of(object_ids: pa.Array, config: TrainConfig) -> NDArray[Any]:
    """Which side of the split galaxies are on, now and in every later run.

    The side depends on the id alone: it is a BLAKE2b hash of the id's text, taken
    as a fraction of its range: validation from 0 up, test from 1 down. So it is
    independent of class (stratified in expectation), of order and of what else the
    catalog holds.

    Args:
        object_ids: string or integer, shape (galaxies,).
        config: the shares held back for validation and for tests.

    Returns:
        Names of sides, shape (galaxies,).
    """
    end_of_validation = int(config.validation_fraction * 2**64)
    start_of_test = 2**64 - int(config.test_fraction * 2**64)
    hashes = (
        int.from_bytes(hashlib.blake2b(str(value).encode(), digest_size=8).digest())
        for value in object_ids.to_pylist()
    )
    sides: list[Side] = [
        "validation" if h < end_of_validation
        else "test" if h >= start_of_test
        else "training"
        for h in hashes
    ]  # fmt: skip
    return np.asarray(sides, dtype=object)


def _check_classes(labels: Labels, label_column: str, uri: str) -> None:
    counts = labels.totals
    where = f"column {label_column!r} of {uri}"
    _check_blanks(counts, where)
    classes = labels.classes
    if len(classes) < 2:
        raise CatalogError(
            f"{where} holds one class only ({shown(list(classes))}); a network needs "
            "at least 2."
        )
    rare = [name for name in classes if counts[name] < 2]
    if rare:
        raise CatalogError(
            f"classes with fewer than 2 galaxies in {where}: {shown(rare)}; add "
            "examples or leave these rows out."
        )
    for group, names in labels.groups.items():
        if not counts[group]:
            raise CatalogError(
                f"--label-groups {group}=…: no galaxy in {where} is labelled {group}; "
                f"it has {shown(sorted(counts))}."
            )
        unknown = sorted(set(names) - set(classes))
        if unknown:
            raise CatalogError(
                f"--label-groups {group}={'+'.join(names)}: no galaxy in {where} is "
                f"labelled {shown(unknown)}; it has {shown(list(classes))}."
            )


def _check_blanks(names: Iterable[str], where: str) -> None:
    """Refuse two labels that look the same to people."""
    spellings: dict[str, str] = {}
    for name in sorted(names):
        other = spellings.setdefault(name.strip(), name)
        if other != name:
            raise CatalogError(
                f"labels {other!r} and {name!r} in {where} differ only by blanks "
                "around them; spell them alike."
            )


def label_weights(mode: str, labels: Labels) -> tuple[float, ...]:
    """Weight of a galaxy of each label in the training loss.

    Args:
        mode: ``none`` (all 1); ``balanced``: every class weighs the same in sum (King &
            Zeng 2001, as in scikit-learn); ``square_root``: as the square root of its
            galaxies. A galaxy weighs 1 on average.
        labels: how many galaxies have which.

    Returns:
        One weight a label; a class without training galaxies, and a group, weighs 1.
    """
    if mode == "none":
        return (1.0,) * len(labels.names)
    training = labels.counts["training"]
    counts = np.asarray([training[name] for name in labels.classes], float)
    power = 0.5 if mode == "square_root" else 1.0
    weights = np.divide(1, counts**power, where=counts > 0, out=np.zeros(len(counts)))
    weights *= counts.sum() / (counts * weights).sum()
    of_classes = np.where(counts > 0, weights, 1.0).tolist()
    return (*of_classes, *(1.0 for _ in labels.groups))
