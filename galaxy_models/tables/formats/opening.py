"""Finds the format of a table from its name and opens it."""

import logging
from collections.abc import Callable, Sequence

from galaxy_models import storage
from galaxy_models.errors import CatalogError, InputError
from galaxy_models.storage import glob
from galaxy_models.tables.formats import (
    delimited,
    fits,
    hats,
    parquet,
    votable,
    webdataset,
)
from galaxy_models.tables.formats.delimited import DelimitedTable
from galaxy_models.tables.formats.fits import FitsTable
from galaxy_models.tables.formats.image_folder import ImageFile, ImageFolder, is_image
from galaxy_models.tables.formats.parquet import open_parquet, open_parquet_folder
from galaxy_models.tables.formats.table import Table, unreadable
from galaxy_models.tables.formats.votable import VOTable
from galaxy_models.tables.formats.webdataset import ShardedTable

logger = logging.getLogger(__name__)

MAX_NAMED_OUTPUTS = 3  # how many a line shows

FILE_KINDS: tuple[tuple[tuple[str, ...], Callable[[str], Table]], ...] = (
    (parquet.SUFFIXES, open_parquet),
    (delimited.SUFFIXES, DelimitedTable),
    (fits.SUFFIXES, FitsTable),
    (votable.SUFFIXES, VOTable),
    (webdataset.SUFFIXES, lambda uri: ShardedTable(uri, [uri])),
)


def open_table(uri: str, flag: str = "--catalog") -> Table:
    """Open a table without reading it whole (but for a VOTable).

    Args:
        uri: a file, a folder, or a pattern of files; absolute.
        flag: what named it, for messages.

    Raises:
        CatalogError: there is nothing, or nothing that is known; or it is damaged.
    """
    try:
        if storage.is_file(uri):
            return _open_file(uri)
        if storage.is_folder(uri):
            return _open_folder(uri)
        if glob.is_pattern(uri):
            return _open_pattern(uri, flag)
    except OSError as error:
        raise unreadable(uri, error) from error
    raise CatalogError(f"no catalog at {uri}; check the path given to {flag}.")


def open_images(uri: str, flag: str) -> Table:
    """Open a table of images, or a single image as a table of one.

    Args:
        uri: as for ``open_table``, or an image.
        flag: what named it, for messages.

    Raises:
        CatalogError: as for ``open_table``.
    """
    if is_image(uri) and storage.is_file(uri):
        is_fits = uri.lower().endswith((*fits.SUFFIXES, ".fz"))
        if not is_fits or fits.holds_image(uri):
            return ImageFile(uri)
    return open_table(uri, flag)


def _open_file(uri: str) -> Table:
    for suffixes, open_kind in FILE_KINDS:
        if uri.lower().endswith(suffixes):
            return open_kind(uri)
    if is_image(uri):
        raise CatalogError(
            f"{uri} is an image, not a table of galaxies; name the folder that the "
            "images lie in."
        )
    known = (suffix for suffixes, _ in FILE_KINDS for suffix in suffixes)
    raise CatalogError(
        f"cannot tell what kind of catalog {uri} is; name it {', '.join(known)}, or "
        "a folder of Parquet files or of images."
    )


def _open_folder(uri: str) -> Table:
    """Open a HATS catalog, or a folder of one, of Parquet files, or else of images."""
    names = storage.list_names(uri)
    if hats.is_hats(names):
        return hats.open_hats(uri)
    hats.refuse_lost_properties(uri, names)
    outputs: list[str] = []
    examples, tables, maybe_hats = _survey(uri, outputs)
    _report_outputs(uri, outputs, is_all=not (examples or maybe_hats))
    root = hats.find_root(uri, maybe_hats)
    if root is not None:
        _refuse_other_tables(uri, root, tables)
        return hats.open_hats(uri, storage.join(uri, root))
    if len(examples) == 2:
        raise CatalogError(
            f"{uri} holds Parquet files and images ({' and '.join(examples.values())});"
            f" name the table with a pattern ({uri}/*.parquet), or the images' folder."
        )
    if "images" in examples:
        return ImageFolder(uri)
    if examples:
        return open_parquet_folder(uri)
    raise CatalogError(
        f"the folder {uri} holds neither Parquet files nor images; of other kinds of "
        "catalog name the file, or a pattern of tar files."
    )


def _report_outputs(uri: str, outputs: Sequence[str], *, is_all: bool) -> None:
    """Say which folders in a catalog's are no part of it, as jobs wrote them.

    Raises:
        CatalogError: there is nothing else.
    """
    if not outputs:
        return
    more = ", …" if len(outputs) > MAX_NAMED_OUTPUTS else ""
    named = f"{', '.join(outputs[:MAX_NAMED_OUTPUTS])}{more}"
    if is_all:
        raise CatalogError(
            f"the folder {uri} holds outputs of jobs ({named}) and nothing else that "
            f"is a catalog; name one of them, or Parquet files ({uri}/"
            f"{outputs[0]}/*.parquet)."
        )
    logger.info("%s: outputs of jobs in it are no part of it: %s", uri, named)


def _survey(
    uri: str, outputs: list[str]
) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Look what kinds of files a folder holds.

    Args:
        uri: the folder.
        outputs: a list to which the outputs of jobs in it are added.

    Returns:
        A path for each kind that may be a catalog; a Parquet file for each name in the
        folder; and the names of those folders in it that may be HATS catalogs.
    """
    examples: dict[str, str] = {}
    tables: dict[str, str] = {}
    maybe_hats: dict[str, None] = {}
    for path in glob.walk_files(uri, outputs):
        folder, _, name = path.rpartition("/")
        if path.lower().endswith(parquet.SUFFIXES):
            examples.setdefault("Parquet files", path)
            tables.setdefault(path.partition("/")[0], path)
        elif is_image(path):
            examples.setdefault("images", path)
        elif folder and "/" not in folder and hats.is_marker(name):
            maybe_hats[folder] = None
    return examples, tables, list(maybe_hats)


def _refuse_other_tables(uri: str, root: str, tables: dict[str, str]) -> None:
    """Refuse a folder of a HATS catalog and Parquet files that are none of its."""
    others = [
        path
        for name, path in tables.items()
        if name != root and not hats.is_hats(storage.list_names(f"{uri}/{name}"))
    ]
    if others:
        raise CatalogError(
            f"{uri} holds a HATS catalog ({root}) and other Parquet files "
            f"({others[0]}); name one of them."
        )


def _open_pattern(pattern: str, flag: str) -> Table:
    try:
        uris = glob.expand_pattern(pattern)
    except InputError as error:
        raise CatalogError(str(error)) from error
    if not uris:
        raise CatalogError(
            f"no file matches {pattern}; check the pattern given to {flag}."
        )
    folder = glob.pattern_folder(pattern)
    if all(uri.lower().endswith(parquet.SUFFIXES) for uri in uris):
        paths = [uri.removeprefix(folder).lstrip("/") for uri in uris]
        return open_parquet(pattern, folder, paths)
    if all(uri.lower().endswith(webdataset.SUFFIXES) for uri in uris):
        return ShardedTable(pattern, uris)
    if len(uris) == 1:
        return _open_file(uris[0])
    raise CatalogError(
        f"{pattern} matches {len(uris)} files ({uris[0]}, …); a pattern may name "
        "Parquet files or tar shards only. Of images name the folder."
    )
