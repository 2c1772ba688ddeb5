"""FITS binary tables, also gzipped, read from start to end in chunks of rows.

The file is streamed, whatever store it lies in: memory holds one chunk. Columns of
variable length (``P``, ``Q``), of bits and of complex numbers are left out. astropy is
imported with the first such file: most catalogs have none.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from galaxy_models import storage
from galaxy_models.errors import CatalogError
from galaxy_models.tables.formats.table import Table, arrow_array, field, unreadable

if TYPE_CHECKING:
    from astropy.io import fits

SUFFIXES = (".fits", ".fit", ".fits.gz", ".fit.gz")
CHUNK_BYTES = 16 * 2**20
LEFT_OUT_FORMATS = "PQXCM"  # variable lengths, bits, complex numbers


class FitsTable(Table):
    """The first binary table of a FITS file."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.image_root = storage.parent(uri)
        with _first_table(uri) as (header, _), _quietly():
            rows = _decoded(header, b"")
            self.schema = pa.schema(
                field(column.name, _values(rows, column).type, unit=column.unit)
                for column in rows.columns
                if not set(LEFT_OUT_FORMATS).intersection(str(column.format))
            )

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([self.schema.field(name) for name in columns])
        with _first_table(self.uri) as (header, stream):
            row_bytes, num_rows = header["NAXIS1"], header["NAXIS2"]
            rows_per_chunk = max(1, CHUNK_BYTES // row_bytes)
            for start in range(0, num_rows, rows_per_chunk):
                size = min(rows_per_chunk, num_rows - start) * row_bytes
                data = stream.read(size)
                if len(data) < size:
                    end = start + len(data) // row_bytes
                    reason = f"it ends after {end} of {num_rows} rows"
                    raise unreadable(self.uri, reason)
                with _quietly():
                    rows = _decoded(header, data)
                    arrays = [_values(rows, rows.columns[name]) for name in columns]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def holds_image(uri: str) -> bool:
    """Whether an image comes first in a FITS file, and no table; or it is damaged."""
    from astropy.io import fits

    try:
        with storage.open_stream(uri) as stream, _quietly():
            while True:
                header = fits.Header.fromfile(stream)
                if header.get("XTENSION") == "BINTABLE":
                    return bool(header.get("ZIMAGE"))
                if header.get("NAXIS", 0) >= 2:
                    return True
                _skip(stream, header.data_size_padded)
    except Exception:  # of a bad header astropy makes nearly any type
        return True


@contextmanager
def _first_table(uri: str) -> Iterator[tuple["fits.Header", pa.NativeFile]]:
    """Open a file at the first row of its first binary table.

    Raises:
        CatalogError: there is none; or the file, or what is read of it in the
            context, makes no sense.
    """
    try:
        with storage.open_stream(uri) as stream:
            with _quietly():
                header = _table_header(stream, uri)
            if not 0 < header["NAXIS1"] <= CHUNK_BYTES or header["NAXIS2"] < 0:
                raise ValueError(
                    f"a table of {header['NAXIS2']} rows of {header['NAXIS1']} bytes"
                )
            yield header, stream
    except CatalogError:
        raise
    except Exception as error:  # of a bad header astropy makes nearly any type
        raise unreadable(uri, error) from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Pass by small sins against the standard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _table_header(stream: pa.NativeFile, uri: str) -> "fits.Header":
    """Read up to and with the header of the first binary table."""
    from astropy.io import fits

    while True:
        try:
            header = fits.Header.fromfile(stream)
        except EOFError as error:
            raise CatalogError(
                f"{uri} holds no binary table, only images or other data; to use FITS "
                "images name the folder that they lie in."
            ) from error
        if header.get("XTENSION") == "BINTABLE" and not header.get("ZIMAGE"):
            return header
        _skip(stream, header.data_size_padded)


def _skip(stream: pa.NativeFile, size: int) -> None:
    while size > 0:
        data = stream.read(min(size, CHUNK_BYTES))
        if not data:
            raise OSError("it ends before its first table")
        size -= len(data)


def _decoded(header: "fits.Header", data: bytes) -> "fits.BinTableHDU":
    """Let astropy read some rows as a table of their own."""
    from astropy.io import fits

    header = header.copy()
    header["NAXIS2"] = len(data) // header["NAXIS1"]
    header["PCOUNT"] = 0
    header.pop("THEAP", None)
    whole = header.tostring().encode("ascii") + data
    padding = bytes(-len(whole) % 2880)
    # uint: else an unsigned 64-bit id would pass through float.
    return fits.BinTableHDU.fromstring(whole + padding, uint=True)


def _values(rows: "fits.BinTableHDU", column: "fits.Column") -> pa.Array:
    values = np.asarray(rows.data[column.name])
    mask = None
    if column.null is not None and values.ndim == 1:
        # TNULL is what stands in the file, before scaling.
        mask = values == column.null * (column.bscale or 1) + (column.bzero or 0)
    return arrow_array(values, mask)
