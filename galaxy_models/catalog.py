"""A table of galaxies -> a checked catalog of Parquet files.

A catalog is read in batches and never held in memory, but for 8 bytes a row while
its ids are checked. This module knows columns and tables; it knows neither pixels
nor networks.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.dataset as pa_dataset
import pyarrow.parquet as pq
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.config import CatalogConfig
from galaxy_models.errors import CatalogError, ImageDecodeError, InputError
from galaxy_models.image_paths import image_uri

PARQUET_SUFFIXES = (".parquet", ".parq", ".pq")
CSV_SUFFIXES = (".csv", ".tsv")
COLUMN_ALIASES = {"object_id": ("id_str", "id"), "image": ("file_loc", "image_uri")}
NUM_PROBED_IMAGES = 20
ROWS_PER_STAGED_GROUP = 100_000  # about 6 MB of ids and paths
MAX_NAMED_VALUES = 5  # how many offending values a message shows


@dataclass(frozen=True)
class Catalog:
    """A checked table of galaxies.

    Every id is present and unique, every named column exists, and at least one of
    the first images is there.
    """

    uri: str
    """What the user named, absolute."""

    parquet_uri: str
    """A Parquet file or folder with the same rows."""

    id_column: str
    image_column: str
    image_root: str
    """URI of the folder that relative image paths start from."""

    num_rows: int
    fingerprint: str
    """Hash of the set of ids, in any order."""

    schema: pa.Schema
    """Every column of the Parquet files, with its metadata."""

    allowed_prefixes: tuple[str, ...] = ()
    """URIs of further folders whose images the catalog may name."""

    @property
    def id_type(self) -> pa.DataType:
        """Type that ids have in results: int64 or string."""
        integer = pa.types.is_integer(self.schema.field(self.id_column).type)
        return pa.int64() if integer else pa.string()


def open_catalog(
    config: CatalogConfig, staging_uri: str, columns: Sequence[str] = ()
) -> Catalog:
    """Check a catalog, and copy it to Parquet where it is not Parquet already.

    Args:
        config: where the catalog lies and what its columns are called.
        staging_uri: folder for the Parquet copy of a CSV catalog; need not exist.
        columns: further columns that must be there.

    Returns:
        The catalog, ready to be streamed.

    Raises:
        CatalogError: the catalog is missing, unreadable or empty; lacks a column;
            has null or repeated ids; or none of its first images exists.
    """
    uri = storage.absolute_uri(config.catalog)
    source = open_table(uri)
    id_column = _find_column(config.id_column, "object_id", source.schema, uri)
    if _is_csv(uri):
        source = open_table(uri, text_columns=(id_column,))
    image_column = _find_column(config.image_column, "image", source.schema, uri)
    for name in columns:
        _find_column(name, "", source.schema, uri)
    ids_are_integers = _check_ids(source, id_column, uri)
    fingerprint, num_rows = fingerprint_ids(source, id_column, uri)
    is_folder = storage.is_folder(uri)
    image_root = config.image_root or (uri if is_folder else storage.parent(uri))
    image_root = storage.absolute_uri(image_root)
    _probe_images(source, image_column, image_root, config.allow_image_prefix, uri)
    if _is_csv(uri):
        parquet_uri = storage.join(staging_uri, "catalog.parquet")
        _stage(source, parquet_uri, id_column if ids_are_integers else None, uri)
        source = open_table(parquet_uri)
    else:
        parquet_uri = uri
    return Catalog(
        uri=uri,
        parquet_uri=parquet_uri,
        id_column=id_column,
        image_column=image_column,
        image_root=image_root,
        num_rows=num_rows,
        fingerprint=fingerprint,
        schema=source.schema,
        allowed_prefixes=config.allow_image_prefix,
    )


def _is_csv(uri: str) -> bool:
    return uri.lower().removesuffix(".gz").endswith(CSV_SUFFIXES)


def open_table(uri: str, text_columns: Sequence[str] = ()) -> pa_dataset.Dataset:
    """Open a table without reading it.

    Args:
        uri: a CSV or Parquet file, or a folder of Parquet files.
        text_columns: CSV columns whose text must not be guessed into numbers.
    """
    is_folder = storage.is_folder(uri)
    if not is_folder and not storage.is_file(uri):
        raise CatalogError(f"no catalog at {uri}; check the path given to --catalog.")
    if not (is_folder or _is_csv(uri) or uri.lower().endswith(PARQUET_SUFFIXES)):
        raise CatalogError(
            f"cannot tell what kind of catalog {uri} is; name it "
            f"{', '.join((*CSV_SUFFIXES, *PARQUET_SUFFIXES))}, or a folder of Parquet."
        )
    filesystem, path = storage.filesystem_and_path(uri)
    table_format = _csv_format(uri, text_columns) if _is_csv(uri) else "parquet"
    try:
        return pa_dataset.dataset(path, format=table_format, filesystem=filesystem)
    except (pa.ArrowException, OSError) as error:
        raise CatalogError(f"cannot read the catalog {uri}: {error}") from error


def _csv_format(uri: str, text_columns: Sequence[str]) -> pa_dataset.CsvFileFormat:
    delimiter = "\t" if uri.lower().removesuffix(".gz").endswith(".tsv") else ","
    return pa_dataset.CsvFileFormat(
        parse_options=pa_csv.ParseOptions(delimiter=delimiter),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(text_columns, pa.string()),
            strings_can_be_null=True,
        ),
    )


def _find_column(name: str, role: str, schema: pa.Schema, uri: str) -> str:
    """Find a column by its name, or where that is its role's, by the role's aliases."""
    aliases = COLUMN_ALIASES.get(role, ()) if name == role else ()
    for candidate in (name, *aliases):
        if candidate in schema.names:
            return str(candidate)
    raise CatalogError(
        f"no column {name!r} in {uri}; it has {', '.join(schema.names)}. Name the "
        "right one with --id-column, --image-column, --label-column or --keep."
    )


def read_batches(
    source: pa_dataset.Dataset, columns: Sequence[str], uri: str
) -> Iterator[pa.RecordBatch]:
    """Read some columns of a table, a batch at a time.

    Raises:
        CatalogError: the table cannot be read on.
    """
    try:
        yield from source.to_batches(columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        raise CatalogError(f"cannot read the catalog {uri}: {error}") from error


def _check_ids(source: pa_dataset.Dataset, id_column: str, uri: str) -> bool:
    """Refuse null ids; tell whether every id is a plain 64-bit integer."""
    _check_id_type(source.schema.field(id_column), uri)
    all_integers = True
    for batch in read_batches(source, [id_column], uri):
        ids = batch.column(id_column)
        if ids.null_count:
            raise CatalogError(
                f"column {id_column!r} of {uri} is null in {ids.null_count} row(s) or "
                "more; every galaxy needs an id."
            )
        all_integers = all_integers and _are_integers(ids, uri)
    return all_integers


def fingerprint_ids(
    source: pa_dataset.Dataset, id_column: str, uri: str
) -> tuple[str, int]:
    """Name a set of galaxies by its ids, in any order and of either type.

    Returns:
        A hash of the ids' texts in hexadecimal, and how many there are.

    Raises:
        CatalogError: there is no row, or an id is repeated.
    """
    batches = read_batches(source, [id_column], uri)
    hashes = [_hash_ids(batch.column(id_column)) for batch in batches]
    sorted_hashes = np.sort(np.concatenate([np.empty(0, np.uint64), *hashes]))
    if not len(sorted_hashes):
        raise CatalogError(f"the catalog {uri} has no rows.")
    repeated = sorted_hashes[1:][sorted_hashes[1:] == sorted_hashes[:-1]]
    if len(repeated):
        _refuse_repeated_ids(source, id_column, repeated, uri)
    digest = hashlib.blake2b(sorted_hashes.tobytes(), digest_size=8)
    return digest.hexdigest(), len(sorted_hashes)


def _check_id_type(field: pa.Field, uri: str) -> None:
    is_text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    if not is_text and not pa.types.is_integer(field.type):
        raise CatalogError(
            f"ids in column {field.name!r} of {uri} are {field.type}; they must be "
            "strings or integers (a float cannot hold an 18-digit id)."
        )


def _hash_ids(ids: pa.Array) -> NDArray[np.uint64]:
    """Hash ids by their text, so that a copy of another type keeps its hashes."""
    texts = ids.cast(pa.string()).to_numpy(zero_copy_only=False)
    hashes = pd.util.hash_array(texts.astype(object), categorize=False)
    return np.asarray(hashes, np.uint64)


def _are_integers(ids: pa.Array, uri: str) -> bool:
    """Whether ids survive the way to int64 and back, so that 007 stays 007."""
    try:
        numbers = pc.cast(ids, pa.int64())
    except pa.ArrowInvalid as error:
        if pa.types.is_integer(ids.type):
            raise CatalogError(
                f"ids of {uri} do not fit into 64 signed bits ({error}); store "
                "object_id as strings."
            ) from error
        return False
    survive = pc.all(pc.equal(numbers.cast(ids.type), ids), min_count=0)
    return bool(survive.as_py())


def _refuse_repeated_ids(
    source: pa_dataset.Dataset,
    id_column: str,
    repeated: NDArray[np.uint64],
    uri: str,
) -> None:
    """Raise if ids, not only their hashes, are repeated."""
    counts: Counter[object] = Counter()
    for batch in read_batches(source, [id_column], uri):
        ids = batch.column(id_column)
        suspects = ids.filter(pa.array(np.isin(_hash_ids(ids), repeated)))
        counts.update(suspects.to_pylist())
    names = [str(name) for name, count in counts.items() if count > 1]
    if names:
        raise CatalogError(
            f"{len(names)} id(s) of column {id_column!r} in {uri} occur more than "
            f"once: {shown(names)}; every galaxy needs its own id."
        )


def shown(values: Sequence[str]) -> str:
    """List the first few of many values, for an error's message."""
    more = ", …" if len(values) > MAX_NAMED_VALUES else ""
    return ", ".join(values[:MAX_NAMED_VALUES]) + more


def _probe_images(
    source: pa_dataset.Dataset,
    image_column: str,
    image_root: str,
    allowed_prefixes: tuple[str, ...],
    uri: str,
) -> None:
    """Refuse a catalog none of whose first images is to be had: the root is wrong."""
    column = source.schema.field(image_column)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise CatalogError(
            f"column {image_column!r} of {uri} holds {column.type}, not image paths; "
            "name another with --image-column."
        )
    head = source.head(NUM_PROBED_IMAGES, columns=[image_column])
    paths = [path for path in head.column(image_column).to_pylist() if path]
    uris, refused = [], []
    for path in paths:
        try:
            uris.append(image_uri(path, image_root, allowed_prefixes))
        except ImageDecodeError as error:
            refused.append(error.detail)
    if not any(map(_is_there, uris)):
        if refused:
            raise CatalogError(
                f"the first images of {uri} must not be read ({refused[0]}); allow "
                "their folder with --allow-image-prefix PREFIX, or name the right "
                "--image-root."
            )
        example = f" (for example {uris[0]})" if uris else ""
        raise CatalogError(
            f"none of the first {head.num_rows} images of {uri} exists{example}; give "
            "the folder that their paths start from with --image-root."
        )


def _is_there(image_uri: str) -> bool:
    try:
        return storage.is_file(image_uri)
    except (InputError, OSError, ValueError):  # no path at all: a row that fails later
        return False


def _stage(
    source: pa_dataset.Dataset, parquet_uri: str, integer_id: str | None, uri: str
) -> None:
    """Copy a table to Parquet, a batch at a time."""
    schema = source.schema
    if integer_id is not None:
        index = schema.get_field_index(integer_id)
        schema = schema.set(index, pa.field(integer_id, pa.int64()))
    storage.make_folder(storage.parent(parquet_uri))
    filesystem, path = storage.filesystem_and_path(parquet_uri)
    with pq.ParquetWriter(path, schema, filesystem=filesystem) as writer:
        for batch in read_batches(source, source.schema.names, uri):
            writer.write_batch(batch.cast(schema), ROWS_PER_STAGED_GROUP)
