"""Labels of galaxies, in memory, looked up by id.

Memory holds every id and its hash: of integers some 40 bytes, of texts 150. This module
knows neither probabilities nor metrics.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.config import EvaluateConfig
from galaxy_models.errors import CatalogError, ConfigError
from galaxy_models.evaluation.coarse_classes import CoarseClasses
from galaxy_models.tables.columns import find_column
from galaxy_models.tables.formats import Table, open_table
from galaxy_models.tables.id_index import IdIndex
from galaxy_models.tables.object_ids import fingerprint_ids, shown

UNUSED = -1  # in place of a class: excluded, or no label at all
ONE_ROW = "leave one row for each galaxy"
Number = TypeVar("Number", np.float32, np.float64)


@dataclass(frozen=True)
class Labels:
    """Labels that are classes or groups, by id."""

    uri: str
    index: IdIndex
    classes: NDArray[np.int16]
    """Index of each label's coarse class."""

    example_ids: tuple[str, ...]
    num_excluded: int
    num_empty: int
    """Rows without any label."""

    def __len__(self) -> int:
        return len(self.classes)


def open_labels(config: EvaluateConfig) -> tuple[Table, str]:
    """Open the table that ``--labels`` names, and find its column of ids.

    Raises:
        CatalogError: the table or the column is not there.
    """
    table = open_table(storage.absolute_uri(str(config.labels)), "--labels")
    names = table.schema.names
    id_column = find_column(
        config.id_column, names, table.uri, ("object_id",), table.stated_columns
    )
    return table.with_text(id_column), id_column


def read_by_id(
    table: Table,
    id_column: str,
    columns: Sequence[str],
    read: Callable[[pa.RecordBatch], NDArray[Number]],
) -> tuple[pa.ChunkedArray, NDArray[Number]]:
    """Read ids, and numbers of the same rows.

    Args:
        table: at least one row.
        id_column: of ids, which are unique.
        columns: that ``read`` needs.
        read: gives a batch's numbers, shape (rows, numbers).

    Raises:
        CatalogError: ids are repeated or null; or as ``read``.
    """
    fingerprint_ids(table, id_column, ONE_ROW)
    ids: list[pa.Array] = []
    numbers: list[NDArray[Number]] = []
    for batch in table.read_batches([id_column, *columns]):
        ids.append(batch.column(id_column))
        numbers.append(read(batch))
    return pa.chunked_array(ids), np.concatenate(numbers)


def read_labels(
    config: EvaluateConfig, classes: CoarseClasses, id_type: pa.DataType
) -> Labels:
    """Read the labels that a configuration names.

    Args:
        config: names the table, its columns and what to leave out.
        classes: what labels may be.
        id_type: type of the predictions' ids.

    Raises:
        CatalogError: the table or a column is not there, ids are repeated or null, or
            no label is left.
        ConfigError: labels are neither classes nor groups nor left out.
    """
    table, id_column = open_labels(config)
    label_column = find_column(
        config.label_column, table.schema.names, table.uri, ("label",)
    )
    fingerprint_ids(table, id_column, "leave one label for each galaxy")
    ids, codes, labels = _read(table, id_column, label_column)
    class_of = _classes_of(labels, config, classes, table.uri)
    found = np.append(class_of, UNUSED)[codes]  # the last: of code -1, without a label
    is_used = found != UNUSED
    num_empty = int((codes == UNUSED).sum())
    if not is_used.any():
        raise CatalogError(
            f"column {label_column!r} of {table.uri} holds no label that is not left "
            "out; name another with --label-column."
        )
    used_ids = ids.filter(pa.array(is_used))
    return Labels(
        uri=table.uri,
        index=IdIndex(used_ids, id_type),
        classes=found[is_used],
        example_ids=tuple(map(str, used_ids[:2].to_pylist())),
        num_excluded=int((~is_used).sum()) - num_empty,
        num_empty=num_empty,
    )


def _read(
    table: Table, id_column: str, label_column: str
) -> tuple[pa.ChunkedArray, NDArray[np.int64], list[str]]:
    """Read ids, numbers of labels (-1 where there is none), and what is numbered.

    An empty text is no label: FITS has no null.
    """
    ids: list[pa.Array] = []
    codes: list[NDArray[np.int64]] = []
    numbers: dict[str, int] = {}
    for batch in table.read_batches([id_column, label_column]):
        ids.append(batch.column(id_column))
        encoded = batch.column(label_column).cast(pa.string()).dictionary_encode()
        own = [
            numbers.setdefault(label, len(numbers)) if label.strip() else UNUSED
            for label in encoded.dictionary.tolist()
        ]
        indices = pc.fill_null(encoded.indices, len(own)).to_numpy()
        codes.append(np.array([*own, UNUSED], np.int64)[indices])
    return pa.chunked_array(ids), np.concatenate(codes), list(numbers)


def _classes_of(
    labels: Iterable[str], config: EvaluateConfig, classes: CoarseClasses, uri: str
) -> NDArray[np.int16]:
    """Find the class of every label that occurs."""
    labels = list(labels)
    absent = [name for name in config.exclude_label if name not in labels]
    if absent:
        raise ConfigError(
            f"--exclude-label {' '.join(absent)}: no such label in {uri}; it has "
            f"{shown(labels)}."
        )
    known = {**classes.of_label, **dict.fromkeys(config.exclude_label, UNUSED)}
    unknown = [name for name in labels if name not in known]
    if unknown:
        raise ConfigError(
            f"labels {shown(unknown)} of {uri} are no classes of the predictions "
            f"({', '.join(classes.of_label)}); say which of these a label may be with "
            f"--label-groups {unknown[0]}=CLASS+CLASS, or leave it out with "
            f"--exclude-label {' '.join(unknown[:5])}."
        )
    return np.array([known[name] for name in labels], np.int16)
