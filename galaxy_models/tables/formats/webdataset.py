"""WebDataset shards: tar files in which files of one stem belong to one galaxy.

    shard-000.tar: a.jpg a.json b.jpg b.json …

The stem is the id; ``.json`` gives a column for each of its keys, ``.cls`` the column
``cls``, ``.txt`` the column ``txt``. Shards are read from start to end, so that they
may be gzipped and lie in any store; memory holds one batch.
"""

import json
import posixpath
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from galaxy_models import storage
from galaxy_models.errors import CatalogError
from galaxy_models.tables.formats.image_folder import is_image
from galaxy_models.tables.formats.table import Table, unreadable

SUFFIXES = (".tar", ".tar.gz", ".tgz")
TEXT_FILES = ("cls", "txt")
IMAGE_COLUMN = "image_bytes"
BATCH_BYTES = 32 * 2**20
ROWS_PER_BATCH = 1_000
MAX_FILE_BYTES = 512 * 2**20  # far above any cutout; a batch of Arrow takes 2 GB

Sample = dict[str, Any]


class ShardedTable(Table):
    """The galaxies of some shards."""

    repeated_ids_remedy = (
        "ids are the stems of the files in all shards: number them through, or give "
        "object_id in the .json files"
    )

    def __init__(self, uri: str, shards: Sequence[str]) -> None:
        self.uri = uri
        self.image_root = storage.parent(shards[0])
        self.shards = list(shards)
        first = next(self._sample_batches(), [])
        names = dict.fromkeys(name for sample in first for name in sample)
        try:
            fields = [_field(name, first) for name in names]
        except (pa.ArrowException, OverflowError) as error:
            raise unreadable(uri, error) from error
        self.schema = pa.schema(fields)

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([self.schema.field(name) for name in columns])
        for samples in self._sample_batches():
            arrays = [self._array(field, samples) for field in schema]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _array(self, field: pa.Field, samples: list[Sample]) -> pa.Array:
        values = [sample.get(field.name) for sample in samples]
        try:
            return pa.array(values, field.type)
        except (pa.ArrowException, OverflowError) as error:
            raise CatalogError(
                f"{field.name!r} in {self.uri} starts as {field.type} and goes on as "
                f"something else ({error}); write it alike in every sample."
            ) from error

    def _sample_batches(self) -> Iterator[list[Sample]]:
        batch: list[Sample] = []
        size = 0
        for shard in self.shards:
            for sample in _samples(shard):
                batch.append(sample)
                size += len(sample[IMAGE_COLUMN] or b"")
                if size >= BATCH_BYTES or len(batch) >= ROWS_PER_BATCH:
                    yield batch
                    batch, size = [], 0
        if batch:
            yield batch


def _field(name: str, samples: list[Sample]) -> pa.Field:
    if name == IMAGE_COLUMN:
        return pa.field(name, pa.binary())
    type_ = pa.array([sample.get(name) for sample in samples]).type
    return pa.field(name, pa.string() if pa.types.is_null(type_) else type_)


def _samples(shard: str) -> Iterator[Sample]:
    """Read a shard's galaxies in turn; files of one galaxy follow on each other."""
    sample: Sample = {}
    key = None
    for name, data in _files(shard):
        stem, dot, suffix = posixpath.basename(name).partition(".")
        own_key = posixpath.join(posixpath.dirname(name), stem)
        if own_key != key:
            if key is not None:
                yield sample
            key, sample = own_key, {"object_id": own_key, IMAGE_COLUMN: None}
        _add(sample, dot + suffix.lower(), data, f"{shard}: {name}")
    if key is not None:
        yield sample


def _add(sample: Sample, suffix: str, data: bytes, place: str) -> None:
    """Add what a file says to the galaxy that it belongs to."""
    if is_image(suffix):
        if sample[IMAGE_COLUMN] is not None:
            raise CatalogError(f"{place} is a galaxy's second image; keep one of them.")
        sample[IMAGE_COLUMN] = data
    try:
        if suffix == ".json":
            known = {IMAGE_COLUMN: sample[IMAGE_COLUMN]}  # not the .json's to say
            sample.update(json.loads(data), **known)
        elif suffix.lstrip(".") in TEXT_FILES:
            sample[suffix.lstrip(".")] = data.decode().strip()
    except (ValueError, TypeError, RecursionError) as error:
        raise CatalogError(
            f"{place} cannot be read ({error}); mend it or take it out of the shard."
        ) from error


def _files(shard: str) -> Iterator[tuple[str, bytes]]:
    """Read a shard's files in the order in which they lie, but for hidden ones."""
    try:
        with (
            storage.open_stream(shard, unpack=False) as stream,
            tarfile.open(fileobj=stream, mode="r|*") as archive,
        ):
            for member in archive:
                hidden = posixpath.basename(member.name).startswith((".", "_"))
                content = None if hidden else archive.extractfile(member)
                if content is None:
                    continue
                if member.size > MAX_FILE_BYTES:
                    raise CatalogError(
                        f"{shard}: {member.name} has {member.size} bytes, over "
                        f"{MAX_FILE_BYTES}; take it out of the shard."
                    )
                yield member.name, content.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise unreadable(shard, error) from error
