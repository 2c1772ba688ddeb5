"""Parquet: a file, or many that lie below a folder, perhaps Hive-partitioned.

Names of the form ``key=value`` on the way to a file are columns too. Folders give
them to every reader; Ray's readers do not see those in a file's own name (HATS:
``Norder=3/Dir=0/Npix=41.parquet``).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import and_
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as pa_dataset
import pyarrow.parquet as pq

from galaxy_models import storage
from galaxy_models.errors import CatalogError
from galaxy_models.storage import glob
from galaxy_models.tables.formats.table import Table, unreadable

SUFFIXES = (".parquet", ".parq", ".pq")
HATS_SAMPLE = "data_thumbnail.parquet"  # some of the rows once more
NULL_VALUE = "__HIVE_DEFAULT_PARTITION__"
INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
# Images inside a table: 1 to 100 kB a row, so that pyarrow's own 131,072 rows a batch,
# with 16 of them and whole row groups read ahead, would fill a machine.
FEW_AT_A_TIME = {
    "batch_size": 256,
    "batch_readahead": 1,
    "fragment_readahead": 1,
    "fragment_scan_options": pa_dataset.ParquetFragmentScanOptions(
        use_buffered_stream=True, pre_buffer=False
    ),
}
MAX_VECTOR = 64  # numbers of a list that is no image, such as an embedding
# Else the columns of a whole file are read ahead: its memory would grow with its rows.
SOME_AT_A_TIME = {
    "batch_readahead": 4,
    "fragment_scan_options": pa_dataset.ParquetFragmentScanOptions(pre_buffer=False),
}
# Where Ray Data is imported, Arrow unpickles values of this type: that runs their code.
PICKLED_TYPE = "ray.data.arrow_pickled_object"
FIELD_ID = b"PARQUET:field_id"  # a number that Parquet's reader adds; not the user's


@dataclass(frozen=True)
class ParquetTable(Table):
    """Parquet files of one schema."""

    uri: str
    base_uri: str
    """Folder that the files lie below."""

    paths: tuple[str, ...]
    """The files, relative to ``base_uri``."""

    schema: pa.Schema
    folder_columns: tuple[str, ...] = ()
    """Columns in the folder names of every file (Hive partitions)."""

    name_columns: tuple[str, ...] = ()
    """Columns whose values are in other names."""

    stated_columns: Mapping[str, str] = field(default_factory=dict, hash=False)
    stated_rows: int | None = None

    @property
    def image_root(self) -> str:  # type: ignore[override]
        """URI of the folder that relative image paths start from."""
        return self.base_uri

    @property
    def uris(self) -> list[str]:
        """The files."""
        return [storage.join(self.base_uri, path) for path in self.paths]

    def has_for_ray(self, columns: Sequence[str]) -> bool:
        """Whether Ray's reader finds all of some columns."""
        return not set(self.name_columns).intersection(columns)

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        types = (self.schema.field(name).type for name in columns)
        at_a_time = SOME_AT_A_TIME
        if any(map(may_be_large, types)):
            at_a_time = FEW_AT_A_TIME
        yield from self.dataset().to_batches(columns=columns, **at_a_time)

    def dataset(self) -> pa_dataset.Dataset:
        """Open the files with pyarrow; columns of names among the others."""
        filesystem, base = storage.filesystem_and_path(self.base_uri)
        return pa_dataset.FileSystemDataset.from_paths(
            [storage.join(base, path) for path in self.paths],
            schema=self.schema,
            format=pa_dataset.ParquetFileFormat(),
            filesystem=filesystem,
            partitions=[self._values(path) for path in self.paths],
        )

    def _values(self, path: str) -> pa_dataset.Expression:
        """What is known of all rows of a file."""
        known = (
            pa_dataset.field(name)
            == pa.scalar(value).cast(self.schema.field(name).type)
            for name, value in self.known_values(path).items()
        )
        return reduce(and_, known, pa_dataset.scalar(True))

    def known_values(self, path: str) -> dict[str, str]:
        """Values, as text, of the columns in the names of a file's folders."""
        columns = {*self.folder_columns, *self.name_columns}
        values = {**_pairs_in_folders(path), **_pair_in_name(path)}
        return {
            name: value
            for name, value in values.items()
            if name in columns and value != NULL_VALUE
        }


def open_parquet(
    uri: str, base_uri: str | None = None, paths: Sequence[str] = ()
) -> ParquetTable:
    """Open Parquet files without reading them.

    Args:
        uri: a Parquet file, or what the user named.
        base_uri: folder that the files lie below.
        paths: the files, relative to the folder; the file at ``uri`` if left out.

    Raises:
        CatalogError: the first file is no Parquet file, or holds pickled objects.
    """
    if base_uri is None:
        base_uri = storage.parent(uri)
        paths = [uri.rpartition("/")[2]]
    filesystem, first = storage.filesystem_and_path(storage.join(base_uri, paths[0]))
    try:
        schema = pq.read_schema(first, filesystem=filesystem)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise unreadable(storage.join(base_uri, paths[0]), error) from error
    _refuse_pickles(schema, storage.join(base_uri, paths[0]))
    schema = pa.schema([_without_field_id(field) for field in schema])
    folder_columns, name_columns, fields = _columns_of_names(paths, schema)
    return ParquetTable(
        uri=uri,
        base_uri=base_uri,
        paths=tuple(paths),
        schema=pa.schema([*schema, *fields]),
        folder_columns=folder_columns,
        name_columns=name_columns,
    )


def open_parquet_folder(uri: str, base_uri: str | None = None) -> ParquetTable:
    """Open all Parquet files below a folder."""
    base_uri = base_uri or uri
    paths = [
        path
        for path in glob.walk_files(base_uri)
        if path.lower().endswith(SUFFIXES) and path.rpartition("/")[2] != HATS_SAMPLE
    ]
    if not paths:
        raise CatalogError(f"no Parquet file in {uri}.")
    return open_parquet(uri, base_uri, paths)


def _refuse_pickles(schema: pa.Schema, uri: str) -> None:
    """Refuse a file some of whose values are code.

    That of the first file is enough: others are read as if their columns had its types.
    """
    pickled = [field.name for field in schema if _holds_pickles(field.type)]
    if pickled:
        raise CatalogError(
            f"{uri} holds pickled Python objects ({', '.join(pickled)}), which could "
            "run anything when they are read; write it again without them."
        )


def _holds_pickles(type_: pa.DataType) -> bool:
    if isinstance(type_, pa.ExtensionType):
        is_pickle = type_.extension_name == PICKLED_TYPE
        return is_pickle or _holds_pickles(type_.storage_type)
    if pa.types.is_dictionary(type_):
        return _holds_pickles(type_.value_type)
    return any(_holds_pickles(type_.field(i).type) for i in range(type_.num_fields))


def _without_field_id(field: pa.Field) -> pa.Field:
    metadata = {k: v for k, v in (field.metadata or {}).items() if k != FIELD_ID}
    return field.with_metadata(metadata or None)


def _columns_of_names(
    paths: Sequence[str], schema: pa.Schema
) -> tuple[tuple[str, ...], tuple[str, ...], list[pa.Field]]:
    """Find the columns that are in folder names and in no file."""
    folders = [_pairs_in_folders(path) for path in paths]
    names = [_pair_in_name(path) for path in paths]
    values: dict[str, set[str]] = {}
    for pairs in (*folders, *names):
        for name, value in pairs.items():
            if name not in schema.names:
                values.setdefault(name, set()).add(value)
    in_all_folders = set(values).intersection(*(pairs.keys() for pairs in folders))
    regular = {name for name in in_all_folders if NULL_VALUE not in values[name]}
    fields = [pa.field(name, _type_of(values[name] - {NULL_VALUE})) for name in values]
    return (
        tuple(name for name in values if name in regular),
        tuple(name for name in values if name not in regular),
        fields,
    )


def may_be_large(type_: pa.DataType) -> bool:
    """Whether a value may be an image, or as large as one."""
    is_vector = pa.types.is_fixed_size_list(type_) and type_.list_size <= MAX_VECTOR
    return bool(
        pa.types.is_binary(type_)
        or pa.types.is_large_binary(type_)
        or (pa.types.is_nested(type_) and not is_vector)
    )


def _type_of(values: set[str]) -> pa.DataType:
    is_integer = values and all(INTEGER.fullmatch(value) for value in values)
    return pa.int64() if is_integer else pa.string()


def _pairs_in_folders(path: str) -> dict[str, str]:
    folders = path.split("/")[:-1]
    # A name that Ray's parser of partitions would not take is no partition here.
    return {
        key: unquote(value)
        for key, _, value in (name.partition("=") for name in folders)
        if value and "=" not in value
    }


def _pair_in_name(path: str) -> dict[str, str]:
    stem = path.split("/")[-1].rpartition(".")[0]
    return _pairs_in_folders(f"{stem}/")
