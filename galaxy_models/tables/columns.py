"""Finds the columns of a catalog: by the requested name, or another usual one.

Knows names, and what a column of images or of numbers may hold; it opens nothing.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.errors import CatalogError

# Names that surveys, archives and data sets use for what this project calls by the
# name on the left; letter case does not matter.
ALIASES = {
    "object_id": (
        "id", "id_str", "objid", "obj_id", "objectid", "source_id", "sourceid",
        "dr7objid", "dr8objid", "specobjid", "galaxy_id", "iauname", "targetid",
        "diaobjectid",
    ),
    "image": (
        "image_bytes", "image_path", "image_uri", "image_url", "file_loc", "filename",
        "file_name", "file", "path", "uri", "cutout",
    ),
    "label": ("class", "cls", "class_name", "summary", "label_name", "morphology"),
    "ra": (
        "ra_deg", "right_ascension", "raj2000", "ra_j2000", "ra_icrs", "alpha_j2000",
        "coord_ra",
    ),
    "dec": (
        "dec_deg", "declination", "decl", "dej2000", "decj2000", "dec_j2000",
        "de_icrs", "dec_icrs", "delta_j2000", "coord_dec",
    ),
}  # fmt: skip
FLAGS = {
    "object_id": "--id-column",
    "image": "--image-column",
    "label": "--label-column",
}


def find_column(
    name: str,
    names: Sequence[str],
    uri: str,
    roles: Sequence[str],
    stated: Mapping[str, str] | None = None,
    flag: str | None = None,
) -> str:
    """Find a column by its name, or where that is a role's, by the role's aliases.

    Args:
        name: what was asked for.
        names: the catalog's columns.
        uri: the catalog, for messages.
        roles: roles that may be meant.
        stated: columns that the catalog itself names, by role; they decide where no
            alias is there, or several are.
        flag: that names the column, for messages; default: its role's.

    Returns:
        The catalog's own name of the column.

    Raises:
        CatalogError: there is no such column; or several may be meant.
    """
    if name in names:
        return name
    if flag is None:
        flag = FLAGS.get(roles[0] if len(roles) == 1 else name, "--keep")
    aliases = (name, *ALIASES[name]) if name in roles else ()
    found = [one for one in names if one.lower() in aliases]
    own = (stated or {}).get(name) if name in roles else None
    if own is not None and len(found) != 1 and own in (found or names):
        return own
    if not found:
        raise CatalogError(
            f"no column {name!r} in {uri}; it has {', '.join(names)}. Name the right "
            f"one with {flag}."
        )
    if len(found) > 1:
        raise CatalogError(
            f"columns {' and '.join(map(repr, found))} of {uri} may both be the "
            f"{name!r}; name the right one with {flag}."
        )
    return found[0]


def image_sources(column: pa.ChunkedArray) -> list[str | bytes | None]:
    """List a column's image sources: a path, a file's bytes, or None.

    Args:
        column: strings, binaries, or structs of ``bytes`` and ``path`` as Hugging
            Face's data sets have them; there ``path`` counts where ``bytes`` is null.
    """
    values = column.to_pylist()
    if not pa.types.is_struct(column.type):
        return list(values)
    return [value and (value["bytes"] or value["path"]) for value in values]


def number_column(
    rows: pa.RecordBatch | pa.Table, name: str, uri: str, remedy: str
) -> NDArray[np.float64]:
    """Read a column of numbers.

    Args:
        rows: with this column.
        name: of the column.
        uri: the table, for messages.
        remedy: what to do where it holds none.

    Returns:
        Shape (rows,); NaN where null.

    Raises:
        CatalogError: it holds no numbers.
    """
    try:
        column = rows.column(name).cast(pa.float64())
    except pa.ArrowException as error:
        raise CatalogError(
            f"column {name!r} of {uri} holds no numbers ({error}); {remedy}."
        ) from error
    return np.asarray(column.to_numpy(zero_copy_only=False), float)
