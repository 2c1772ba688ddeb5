"""Columns of positions: which they are, in which unit, and who has none.

Knows columns and numbers; it does not know what the rows are, nor pixels of the sky.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from galaxy_models.errors import CatalogError, InputError
from galaxy_models.tables.columns import find_column
from galaxy_models.tables.prediction_schema import DEGREES

ROLES = ("ra", "dec")


def find_positions(
    schema: pa.Schema,
    uri: str,
    stated: Mapping[str, str],
    asked: Sequence[str] = ROLES,
) -> tuple[str, str]:
    """Find the columns of right ascension and declination.

    Args:
        schema: the table's.
        uri: the table, for messages.
        stated: columns that the table itself names, by role.
        asked: names to look for; these two mean any usual ones.

    Raises:
        CatalogError: there are none, or several; or they are no degrees.
    """
    try:
        ra, dec = (
            find_column(name, schema.names, uri, (role,), stated)
            for role, name in zip(ROLES, asked, strict=True)
        )
    except CatalogError as error:
        raise CatalogError(
            f"{uri} has no columns {' and '.join(asked)}, or several; it has "
            f"{', '.join(schema.names)}."
        ) from error
    for name in (ra, dec):
        _check_degrees(schema.field(name), uri)
    return ra, dec


def _check_degrees(field: pa.Field, uri: str) -> None:
    unit = (field.metadata or {}).get(b"unit", b"deg").decode()
    is_number = pa.types.is_floating(field.type) or pa.types.is_integer(field.type)
    if not is_number or unit.lower() not in DEGREES:
        raise CatalogError(
            f"column {field.name!r} of {uri} holds {field.type} in {unit}; positions "
            "must be numbers in degrees."
        )


def read_positions(
    rows: pa.Table | pa.RecordBatch,
    names: tuple[str, str],
    id_column: str,
    uri: str,
    error: type[InputError],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the positions of rows (deg).

    Args:
        rows: with their ids and positions.
        names: columns of right ascension, of any number of turns, and declination.
        id_column: column of the ids, for messages.
        uri: where the rows are from, for messages.
        error: what is raised.

    Returns:
        Right ascensions and declinations, each of shape (rows,).

    Raises:
        InputError: the ``error``: a galaxy has no position on the sky.
    """
    ra, dec = (_degrees(rows[name]) for name in names)
    are_on_sky = np.isfinite(ra) & (np.abs(dec) <= 90)
    if not are_on_sky.all():
        row = int(np.argmin(are_on_sky))
        raise error(
            f"object_id {rows[id_column][row]} of {uri} has no position on the sky "
            f"({names[0]} {ra[row]}, {names[1]} {dec[row]}); correct it in the "
            "catalog, or leave it out, and score again."
        )
    return ra, dec


def _degrees(column: pa.ChunkedArray | pa.Array) -> NDArray[np.float64]:
    values = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False)
    return np.asarray(values, np.float64)  # null is NaN
