"""Names a table by its rows: the same hash, however its file was written or cut.

Hashes values, not a file's bytes, which change with the version of the library that
writes them. Knows Arrow arrays; it knows neither files nor what columns mean.
"""

import hashlib
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class RowHash:
    """Hashes rows as they come, a batch at a time.

    Args:
        schema: of every batch; its names and types count, its metadata do not.
    """

    def __init__(self, schema: pa.Schema) -> None:
        names = [f"{field.name}: {field.type}" for field in schema]
        self._digest = hashlib.blake2b("\n".join(names).encode(), digest_size=8)
        # A digest for each kind of piece: batches may be cut anywhere.
        self._pieces: dict[str, hashlib.blake2b] = {}

    def add(self, rows: pa.RecordBatch) -> None:
        """Take in further rows."""
        for index, column in enumerate(rows.columns):
            for place, piece in _pieces(column, str(index)):
                digest = self._pieces.setdefault(place, hashlib.blake2b(digest_size=8))
                digest.update(piece)

    def hexdigest(self) -> str:
        """Name the rows so far."""
        whole = self._digest.copy()
        for place in sorted(self._pieces):
            whole.update(f"\n{place} {self._pieces[place].hexdigest()}".encode())
        return whole.hexdigest()


def _pieces(array: pa.Array, place: str) -> Iterator[tuple[str, bytes | memoryview]]:
    """Give an array's content as bytes, each piece with its place in the column.

    Nulls are left out of the values: what stands in their bytes is undefined.
    """
    yield f"{place}.valid", array.is_valid().cast(pa.uint8()).to_numpy().data
    array = array.drop_null()
    if not len(array):
        return
    type_ = array.type
    if pa.types.is_dictionary(type_):
        yield from _pieces(array.dictionary_decode(), f"{place}.decoded")
    elif pa.types.is_struct(type_):
        for index, field in enumerate(array.flatten()):
            yield from _pieces(field, f"{place}.{index}")
    elif pa.types.is_list(type_) or pa.types.is_fixed_size_list(type_):
        lengths = pc.list_value_length(array).cast(pa.int64())
        yield f"{place}.length", lengths.to_numpy().data
        yield from _pieces(array.flatten(), f"{place}.item")
    elif _is_bytes(type_):
        array = array.cast(pa.large_binary())  # with offsets of 64 bits
        ends = np.frombuffer(array.buffers()[1], np.int64)
        ends = ends[array.offset : array.offset + len(array) + 1]
        yield f"{place}.length", np.diff(ends).data
        if ends[-1] > ends[0]:
            yield f"{place}.bytes", memoryview(array.buffers()[2])[ends[0] : ends[-1]]
    else:
        yield f"{place}.value", _fixed_width(array)


def _is_bytes(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(type_)
        or pa.types.is_large_string(type_)
        or pa.types.is_binary(type_)
        or pa.types.is_large_binary(type_)
    )


def _fixed_width(array: pa.Array) -> bytes | memoryview:
    """Give the bytes of values of one width; of other types, texts of the values."""
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.uint8())
    try:
        width = array.type.bit_width // 8
    except ValueError:
        return "".join(f"{value!r}\n" for value in array.to_pylist()).encode()
    start = array.offset * width
    return memoryview(array.buffers()[1])[start : start + len(array) * width]
