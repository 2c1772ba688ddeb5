"""A table of galaxies -> a checked catalog in Parquet files.

What is no Parquet is copied to it, a batch at a time; so are columns that Ray's
reader cannot give, where it reads. This module knows what columns mean; it knows
neither formats nor pixels nor networks nor the cluster.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeGuard

import pyarrow as pa
import pyarrow.parquet as pq

from galaxy_models import storage
from galaxy_models.config import CatalogConfig, DetectConfig, TrainConfig
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.errors import CatalogError
from galaxy_models.images.allowed_paths import allowed_folders
from galaxy_models.tables.columns import find_column
from galaxy_models.tables.first_images import (
    first_images,
    probe_images,
    warn_of_stretch,
)
from galaxy_models.tables.formats import ParquetTable, Table, open_parquet, open_table
from galaxy_models.tables.object_ids import fingerprint_ids, plain_integers
from galaxy_models.tables.positions import find_positions
from galaxy_models.tables.row_hash import RowHash

CheckFiles = Callable[[str, Sequence[str]], None]
"""Takes how messages call some files, and their URIs; raises if they cannot serve."""

ROWS_PER_STAGED_GROUP = 100_000  # about 6 MB of ids and paths


@dataclass(frozen=True)
class Catalog:
    """A checked table of galaxies.

    Every id is present and unique, every column that was asked for exists, and at
    least one of the first images is there.
    """

    uri: str
    """What the user named, absolute."""

    table: ParquetTable
    """Parquet files with the same rows, and at least the columns asked for."""

    id_column: str
    image_column: str
    """Column of paths, of files' bytes, or of structs of both."""

    image_root: str
    """URI of the folder that relative image paths start from."""

    num_rows: int
    fingerprint: str
    """Hash of the set of ids, in any order."""

    own_names: Mapping[str, str] = dataclasses.field(default_factory=dict, hash=False)
    """The catalog's names of columns that were asked for by another name."""

    allowed_prefixes: tuple[str, ...] = ()
    """URIs of further folders whose images the catalog may name."""

    positions: tuple[str, str] | None = None
    """Columns of right ascension and declination, if they were asked for."""

    copied_rows_hash: str | None = None
    """Names the rows, if they were copied to Parquet: the copy's own bytes depend on
    the version of the library that writes them."""

    @property
    def schema(self) -> pa.Schema:
        """Every column of the Parquet files, with its metadata."""
        return self.table.schema

    @property
    def id_type(self) -> pa.DataType:
        """Type that ids have in results: int64 or string."""
        integer = pa.types.is_integer(self.schema.field(self.id_column).type)
        return pa.int64() if integer else pa.string()

    def column(self, name: str) -> str:
        """The catalog's own name of a column that was asked for."""
        return self.own_names.get(name, name)


def open_catalog(
    config: CatalogConfig | DetectConfig,
    staging_uri: str,
    columns: Sequence[str] = (),
    *,
    for_ray: bool = True,
    check_files: CheckFiles | None = None,
    probe: bool = True,
    with_positions: bool = False,
    rule: DecodeRule | None = None,
    flag: str = "--catalog",
    open_source: Callable[[str, str], Table] = open_table,
) -> Catalog:
    """Check a catalog, and copy it to Parquet where it cannot be read as it is.

    Args:
        config: where the catalog lies and what its columns are called.
        staging_uri: folder for the Parquet copy; need not exist.
        columns: further columns that must be there.
        for_ray: whether Ray's reader will read it, which does not find columns that
            stand in the names of Parquet files; ``RowReader`` does.
        check_files: called with the catalog's own Parquet files and with one of its
            images, before anything that takes long.
        probe: whether one of the first images must be there.
        with_positions: whether columns of positions must be there; they may be among
            the further ones.
        rule: with ``probe``, for which the first images are looked at, to warn of a
            stretch of FITS that makes them white or black; None: they are not.
        flag: that named the catalog, for messages.
        open_source: opens it, given its URI and the flag.

    Raises:
        CatalogError: the catalog is missing, unreadable or empty; lacks a column;
            has null or repeated ids; or none of its first images exists.
        GalaxyBatchError: what ``check_files`` raises.
    """
    source = open_source(storage.absolute_uri(config.catalog), flag)
    image_column = _find_column(config.image_column, source, ("image",))
    id_column = image_column  # images that need no other name
    if config.id_column is not None:
        id_column = _find_column(config.id_column, source, ("object_id",))
    own_names = _find_columns(columns, source, _flag_of_columns(config))
    positions = _find_positions(source) if with_positions else None
    image_root = storage.absolute_uri(config.image_root or source.image_root)
    allowed_prefixes = allowed_folders(config.image_root, config.allow_image_prefix)
    head = first_images(source, image_column)
    if probe:
        present = probe_images(head, source.uri, image_root, allowed_prefixes)
        if check_files is not None:
            check_files("the image", present)
        if rule is not None:
            warn_of_stretch(head, image_root, allowed_prefixes, rule)
    further = (*own_names.values(), *(positions or ()))
    needed = list(dict.fromkeys([id_column, image_column, *further]))
    if _serves_as_it_is(source, needed, for_ray):
        table, rows_hash = source, None
        if check_files is not None:
            check_files(flag, table.uris)
    else:
        table, rows_hash = _staged(source, needed, id_column, staging_uri)
    try:
        fingerprint, num_rows = fingerprint_ids(
            table, id_column, source.repeated_ids_remedy
        )
        _check_rows(source, num_rows)
    except CatalogError:
        storage.delete_folder(staging_uri)
        raise
    return Catalog(
        uri=source.uri,
        table=table,
        id_column=id_column,
        image_column=image_column,
        image_root=image_root,
        num_rows=num_rows,
        fingerprint=fingerprint,
        own_names=own_names,
        allowed_prefixes=allowed_prefixes,
        positions=positions,
        copied_rows_hash=rows_hash,
    )


def _check_rows(source: Table, num_rows: int) -> None:
    """Refuse a table that says itself that it has other rows than those found."""
    if source.stated_rows not in (None, num_rows):
        raise CatalogError(
            f"{source.uri} says that it has {source.stated_rows} rows, and its files "
            f"have {num_rows}: some are missing or of another version; copy it again."
        )


def _find_column(
    name: str, source: Table, roles: Sequence[str], flag: str | None = None
) -> str:
    names, stated = source.schema.names, source.stated_columns
    return find_column(name, names, source.uri, roles, stated, flag)


def _flag_of_columns(config: CatalogConfig | DetectConfig) -> str:
    """The flag by which a job names further columns, for messages."""
    if isinstance(config, TrainConfig):
        return "--target" if config.target else "--label-column"
    return "--keep"


def _find_columns(columns: Sequence[str], source: Table, flag: str) -> dict[str, str]:
    """Find columns that ride along; each under its own name in the catalog."""
    own_names: dict[str, str] = {}
    for name in columns:
        own_name = _find_column(name, source, ("ra", "dec", "label"), flag)
        if own_name in own_names.values():
            raise CatalogError(
                f"{' and '.join(columns)}: column {own_name!r} of {source.uri} is "
                "named twice; name it once."
            )
        own_names[name] = own_name
    return own_names


def _find_positions(source: Table) -> tuple[str, str]:
    try:
        return find_positions(source.schema, source.uri, source.stated_columns)
    except CatalogError as error:
        raise CatalogError(
            f"--hats needs positions: {error} Rename the columns to ra and dec, or "
            "leave the flag out, name them with --keep, and run jobs.hats later: it "
            "has flags for their names."
        ) from error


def _serves_as_it_is(
    source: Table, columns: list[str], for_ray: bool
) -> TypeGuard[ParquetTable]:
    """Whether a table is of Parquet files from which the columns can be read."""
    return isinstance(source, ParquetTable) and (
        not for_ray or source.has_for_ray(columns)
    )


def _staged(
    source: Table, columns: list[str], id_column: str, staging_uri: str
) -> tuple[ParquetTable, str | None]:
    """Copy some columns of a table to Parquet; give the copy and its rows' hash."""
    parquet_uri = storage.join(staging_uri, "catalog.parquet")
    storage.make_folder(staging_uri)
    try:
        rows_hash = None
        if source.types_are_guessed:  # ids are integers only if every one of them is
            source = source.with_text(id_column)
            rows_hash = _stage(source, columns, parquet_uri, integer_id=id_column)
        rows_hash = rows_hash or _stage(source, columns, parquet_uri)
        staged = open_parquet(parquet_uri)
    except CatalogError:
        storage.delete_folder(staging_uri)
        raise
    return dataclasses.replace(staged, uri=source.uri), rows_hash


def _stage(
    source: Table, columns: list[str], parquet_uri: str, integer_id: str | None = None
) -> str | None:
    """Copy columns of a table to Parquet, a batch at a time.

    Args:
        source: the table.
        columns: what is copied.
        parquet_uri: the copy.
        integer_id: a column of text to copy as 64-bit integers.

    Returns:
        A hash of the rows; None if the text is not that of integers, and then the copy
        is good for nothing.
    """
    schema = pa.schema([source.schema.field(name) for name in columns])
    if integer_id is not None:
        index = schema.get_field_index(integer_id)
        schema = schema.set(index, pa.field(integer_id, pa.int64()))
    rows_hash = RowHash(schema)
    with _parquet_writer(parquet_uri, schema) as writer:
        for batch in source.read_batches(columns):
            if integer_id is not None:
                numbers = plain_integers(batch.column(integer_id))
                if numbers is None:
                    return None
                batch = batch.set_column(index, integer_id, numbers)
            batch = batch.cast(schema)
            rows_hash.add(batch)
            writer.write_batch(batch, ROWS_PER_STAGED_GROUP)
    return rows_hash.hexdigest()


@contextmanager
def _parquet_writer(uri: str, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """Write a Parquet file; a store's fault, or a disk's, is reported as such."""
    filesystem, path = storage.filesystem_and_path(uri)
    try:
        with pq.ParquetWriter(path, schema, filesystem=filesystem) as writer:
            yield writer
    except OSError as error:
        raise storage.unwritable(uri, error) from error
