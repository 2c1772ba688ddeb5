"""Labels, and the side of the validation split that each galaxy is on.

Knows the catalog's ids and labels; it knows neither pixels nor networks.
"""

import hashlib
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.catalog import Catalog
from galaxy_models.errors import CatalogError
from galaxy_models.object_ids import shown


def count_labels(
    catalog: Catalog, label_column: str, validation_fraction: float
) -> tuple[Counter[str], Counter[str]]:
    """Count the classes on both sides of the validation split.

    Args:
        catalog: a checked catalog.
        label_column: column of class names.
        validation_fraction: share of galaxies held back.

    Returns:
        Galaxies a class, for training and for validation.

    Raises:
        CatalogError: the labels are the ids, or null; there are fewer than 2 classes,
            or fewer than 2 galaxies in one; or the split leaves a side empty.
    """
    label_column = catalog.column(label_column)
    if label_column == catalog.id_column:
        raise CatalogError(
            f"--label-column {label_column}: that is the column of ids in "
            f"{catalog.uri}; name the column of class names."
        )
    training: Counter[str] = Counter()
    validation: Counter[str] = Counter()
    for batch in catalog.table.read_batches([catalog.id_column, label_column]):
        labels = batch.column(label_column)
        if labels.null_count:
            raise CatalogError(
                f"column {label_column!r} of {catalog.uri} is null in "
                f"{labels.null_count} row(s); label them or leave them out."
            )
        held_back = is_validation(batch.column(catalog.id_column), validation_fraction)
        names = label_texts(labels, label_column, catalog.uri)
        validation.update(names[held_back].tolist())
        training.update(names[~held_back].tolist())
    _check_classes(training + validation, label_column, catalog.uri)
    for side, counts in (("training", training), ("validation", validation)):
        if not counts:
            raise CatalogError(
                f"the split of {catalog.uri} leaves no galaxy for {side}: "
                f"{catalog.num_rows} rows at --validation-fraction "
                f"{validation_fraction}; add galaxies or change the fraction."
            )
    return training, validation


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


def is_validation(
    object_ids: pa.Array, validation_fraction: float
) -> NDArray[np.bool_]:
    """Which galaxies are held back, now and in every later run.

    The side hangs on nothing but the id: it is a BLAKE2b hash of the id's text, taken
    as a fraction of its range. So it is independent of class (stratified in
    expectation), of order and of what else the catalog holds.

    Args:
        object_ids: string or integer, shape (galaxies,).
        validation_fraction: share that is held back.

    Returns:
        bool, shape (galaxies,); True for validation.
    """
    threshold = int(validation_fraction * 2**64)
    hashes = (
        hashlib.blake2b(str(value).encode(), digest_size=8).digest()
        for value in object_ids.to_pylist()
    )
    return np.asarray([int.from_bytes(h, "big") < threshold for h in hashes], bool)


def _check_classes(counts: Counter[str], label_column: str, uri: str) -> None:
    if len(counts) < 2:
        raise CatalogError(
            f"column {label_column!r} of {uri} holds one class only "
            f"({shown(sorted(counts))}); a network needs at least 2."
        )
    rare = sorted(name for name, count in counts.items() if count < 2)
    if rare:
        raise CatalogError(
            f"classes with fewer than 2 galaxies in column {label_column!r} of {uri}: "
            f"{shown(rare)}; add examples or leave these rows out."
        )
