"""HATS: a catalog in Parquet files by pixel of the sky, alone or in a collection.

    collection.properties                             names the primary catalog
    primary/hats.properties                           (or properties)
    primary/partition_info.csv                        every pixel that has galaxies
    primary/dataset/Norder=3/Dir=0/Npix=41.parquet    (or a folder Npix=41 of files)

Of a collection only the primary catalog holds each galaxy once: margins repeat those
near the edges of pixels, indexes list ids. A copy from which files are missing would be
scored in silence as if it were whole; so the files are compared with the catalog's own
list of them.

Source:
    HATS (IVOA note, 2025), https://www.ivoa.net/documents/Notes/HATS/
"""

import dataclasses
import posixpath
import re
from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from galaxy_models import storage
from galaxy_models.errors import CatalogError
from galaxy_models.storage import glob
from galaxy_models.tables.formats.parquet import SUFFIXES, ParquetTable, open_parquet
from galaxy_models.tables.formats.table import unreadable

COLLECTION_NAME = "collection.properties"
PROPERTIES_NAMES = ("hats.properties", "properties")
DATA_NAME = "dataset"
PARTITIONS_NAME = "partition_info.csv"
FOOTERS_NAME = "_metadata"
PIXEL = re.compile(r"(?:^|/)Norder=(\d+)/Dir=\d+/Npix=(\d+)(?=[./])")
READ_TYPES = ("object", "source")  # others hold no galaxy, or some of them twice
MAX_PROPERTIES_BYTES = 2**20
MAX_NAMED_PIXELS = 3  # how many a message shows

Pixel = tuple[int, int]
"""HEALPix order, and number of the pixel in the nested scheme."""


def is_hats(names: Collection[str]) -> bool:
    """Whether a folder with these names in it is a HATS collection or catalog."""
    return COLLECTION_NAME in names or _is_catalog(names)


def _is_catalog(names: Collection[str]) -> bool:
    return DATA_NAME in names and not set(PROPERTIES_NAMES).isdisjoint(names)


def is_marker(name: str) -> bool:
    """Whether a file of this name may make its folder a collection or a catalog."""
    return name == COLLECTION_NAME or name in PROPERTIES_NAMES


def open_hats(uri: str, root: str | None = None) -> ParquetTable:
    """Open a catalog, or the primary one of a collection, without reading it.

    Args:
        uri: what the user named.
        root: the collection or catalog; ``uri`` if left out.

    Raises:
        CatalogError: properties or partitions are missing; or it is another kind of
            catalog, such as a margin.
    """
    root = root or uri
    names = storage.list_names(root)
    if COLLECTION_NAME in names:
        root = _primary_catalog(root)
        names = storage.list_names(root)
    properties = _catalog_properties(root, names)
    paths = _partition_files(root, names)
    table = open_parquet(uri, root, paths)
    return dataclasses.replace(
        table,
        stated_rows=_stated_rows(properties, root),
        stated_columns=_stated_columns(properties, table.schema.names),
    )


def find_root(uri: str, folders: Sequence[str]) -> str | None:
    """Choose the catalog or collection that a folder holds.

    Args:
        uri: the folder.
        folders: names of those directly in it that may be one.

    Returns:
        Its name; None if there is none.

    Raises:
        CatalogError: there are several, or only margins and indexes.
    """
    names = {
        folder: storage.list_names(storage.join(uri, folder)) for folder in folders
    }
    roots = [folder for folder in folders if is_hats(names[folder])]
    primary = [
        root for root in roots if _holds_galaxies(storage.join(uri, root), names[root])
    ]
    if roots and len(primary) != 1:
        raise CatalogError(
            f"{uri} holds {len(primary)} HATS catalogs of galaxies (in "
            f"{', '.join(roots)}); name the one to be read."
        )
    return primary[0] if primary else None


def refuse_lost_properties(uri: str, names: Collection[str]) -> None:
    """Refuse a folder that is a HATS catalog but for its properties.

    Raises:
        CatalogError: it is; else nothing happens.
    """
    if DATA_NAME not in names:
        return
    data_uri = storage.join(uri, DATA_NAME)
    if any(name.startswith("Norder=") for name in storage.list_names(data_uri)):
        raise CatalogError(
            f"{uri} looks like a HATS catalog, but has neither "
            f"{' nor '.join(PROPERTIES_NAMES)}; copy these as well, or name {data_uri} "
            "to read its Parquet files as they are."
        )


def _holds_galaxies(root: str, names: Collection[str]) -> bool:
    if COLLECTION_NAME in names:
        return True
    return _kind(_read_properties(root, names)) in READ_TYPES


def _kind(properties: dict[str, str]) -> str:
    return properties.get("dataproduct_type", READ_TYPES[0])


def _primary_catalog(root: str) -> str:
    """Find the primary catalog of a collection."""
    file = storage.join(root, COLLECTION_NAME)
    primary = _parse_properties(file).get("hats_primary_table_url", "").rstrip("/")
    path = posixpath.normpath(primary.removeprefix(f"{root}/"))
    if not primary:
        raise CatalogError(
            f"{file} names no primary catalog (hats_primary_table_url); copy the "
            "collection again, or name the catalog itself."
        )
    if ":" in path or path.startswith(("/", "..")):
        raise CatalogError(
            f"{file} names a primary catalog outside the collection ({primary}); if "
            "you trust it, name that catalog itself."
        )
    return storage.join(root, path)


def _catalog_properties(root: str, names: Collection[str]) -> dict[str, str]:
    """Read the properties of a catalog whose rows are galaxies."""
    if not _is_catalog(names):
        missing = DATA_NAME if DATA_NAME not in names else "hats.properties"
        raise CatalogError(
            f"the HATS catalog {root} has no {missing}; copy the catalog again."
        )
    properties = _read_properties(root, names)
    kind = _kind(properties)
    if kind not in READ_TYPES:
        raise CatalogError(
            f"{root} is a HATS catalog of dataproduct_type {kind!r}, not of galaxies "
            f"({' or '.join(READ_TYPES)}); name its collection or primary catalog."
        )
    return properties


def _read_properties(root: str, names: Collection[str]) -> dict[str, str]:
    name = next(name for name in PROPERTIES_NAMES if name in names)
    return _parse_properties(storage.join(root, name))


def _parse_properties(uri: str) -> dict[str, str]:
    """Read a Java properties file: ``key=value`` lines, ``#`` before comments."""
    try:
        text = storage.read_bytes(uri, MAX_PROPERTIES_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(uri, error) from error
    pairs = (line.partition("=") for line in text.splitlines())
    return {
        key.strip(): value.strip()
        for key, separator, value in pairs
        if separator and not key.lstrip().startswith(("#", "!"))
    }


def _stated_rows(properties: dict[str, str], root: str) -> int | None:
    stated = properties.get("hats_nrows")
    if stated is None:
        return None
    try:
        return int(stated)
    except ValueError as error:
        raise CatalogError(
            f"the properties of {root} say hats_nrows={stated}, which is no number of "
            "rows; copy the catalog again."
        ) from error


def _stated_columns(
    properties: dict[str, str], names: Collection[str]
) -> dict[str, str]:
    """Name the columns whose meaning is known; the index is an id for want of one."""
    stated = {
        "object_id": properties.get("hats_col_healpix", "_healpix_29"),
        "ra": properties.get("hats_col_ra", ""),
        "dec": properties.get("hats_col_dec", ""),
    }
    return {role: name for role, name in stated.items() if name in names}


def _partition_files(root: str, names: Collection[str]) -> list[str]:
    """Find the files of all partitions, relative to the catalog.

    Raises:
        CatalogError: a partition is missing, or stands in no list; or there is none.
    """
    found: dict[Pixel, list[str]] = {}
    for path in glob.walk_files(storage.join(root, DATA_NAME)):
        match = PIXEL.search(path)
        if match and path.lower().endswith(SUFFIXES):
            pixel = int(match[1]), int(match[2])
            found.setdefault(pixel, []).append(f"{DATA_NAME}/{path}")
    listed = _listed_pixels(root, names)
    if listed is not None:
        _compare(root, set(found), listed)
    if not found:
        raise CatalogError(f"the HATS catalog {root} has no partition; copy it again.")
    return [path for paths in found.values() for path in paths]


def _listed_pixels(root: str, names: Collection[str]) -> set[Pixel] | None:
    """Read which partitions there must be; None if the catalog has no list."""
    if PARTITIONS_NAME in names:
        return _pixels_of_csv(storage.join(root, PARTITIONS_NAME))
    footers_uri = storage.join(root, f"{DATA_NAME}/{FOOTERS_NAME}")
    if storage.is_file(footers_uri):
        return _pixels_of_footers(footers_uri)
    return None


def _pixels_of_csv(uri: str) -> set[Pixel]:
    try:
        rows = pa_csv.read_csv(pa.BufferReader(storage.read_bytes(uri)))
        orders, pixels = (rows[name].cast(pa.int64()) for name in ("Norder", "Npix"))
    except (pa.ArrowException, KeyError, OSError) as error:
        raise unreadable(uri, error) from error
    return set(zip(orders.to_pylist(), pixels.to_pylist(), strict=True))


def _pixels_of_footers(uri: str) -> set[Pixel]:
    filesystem, path = storage.filesystem_and_path(uri)
    try:
        metadata = pq.read_metadata(path, filesystem=filesystem)
        groups = map(metadata.row_group, range(metadata.num_row_groups))
        matches = [PIXEL.search(group.column(0).file_path) for group in groups]
    except (pa.ArrowException, OSError) as error:
        raise unreadable(uri, error) from error
    return {(int(match[1]), int(match[2])) for match in matches if match}


def _compare(root: str, found: set[Pixel], listed: set[Pixel]) -> None:
    """Refuse a catalog whose files are not those of its list."""
    missing, unlisted = listed - found, found - listed
    if missing:
        raise CatalogError(
            f"{len(missing)} of {len(listed)} partitions of the HATS catalog {root} "
            f"are missing: {_shown(missing)}; copy these files, or the whole catalog, "
            "again."
        )
    if unlisted:
        raise CatalogError(
            f"the HATS catalog {root} has {len(unlisted)} partition(s) that it does "
            f"not list ({_shown(unlisted)}): it may be two versions in one folder; "
            "copy it again into an empty one."
        )


def _shown(pixels: set[Pixel]) -> str:
    first = sorted(pixels)[:MAX_NAMED_PIXELS]
    more = ", …" if len(pixels) > MAX_NAMED_PIXELS else ""
    names = (f"Norder={order}, Npix={pixel}" for order, pixel in first)
    return "; ".join(names) + more
