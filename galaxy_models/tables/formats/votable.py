"""VOTables, in any of their serialisations (TABLEDATA, BINARY, BINARY2).

The whole table is held in memory: astropy has no streaming reader. Convert one of
many gigabytes to Parquet.
"""

import io
import re
import warnings
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from galaxy_models import storage
from galaxy_models.errors import CatalogError
from galaxy_models.tables.formats.table import Table, arrow_array, field, unreadable

SUFFIXES = (".vot", ".votable", ".xml", ".vot.gz", ".votable.gz", ".xml.gz")
ROWS_PER_BATCH = 65_536
EXTERNAL_DATA = re.compile(rb"<(?:\w+:)?STREAM\s[^>]*\bhref\s*=", re.IGNORECASE)


class VOTable(Table):
    """The first table of a VOTable file."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.image_root = storage.parent(uri)
        try:
            with storage.open_stream(uri) as stream:
                data = stream.read()
            _check_self_contained(data, uri)
            self._table = _read(data, uri)
        except (pa.ArrowException, OSError, TypeError) as error:
            raise unreadable(uri, error) from error
        self.schema = self._table.schema

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        yield from self._table.select(columns).to_batches(ROWS_PER_BATCH)


def _check_self_contained(data: bytes, uri: str) -> None:
    """Refuse a file that has astropy read others, or could hide that it does."""
    if EXTERNAL_DATA.search(data):
        raise CatalogError(
            f"{uri} points to its rows in another file (STREAM href); save it with its "
            "rows inside."
        )
    if b"<!ENTITY" in data or b"\0" in data[:4]:
        raise CatalogError(
            f"{uri} declares XML entities, or is in UTF-16, so that what it points to "
            "cannot be seen; save it in UTF-8, without entities."
        )


def _read(data: bytes, uri: str) -> pa.Table:
    from astropy.io.votable import parse_single_table  # half a second: seldom needed

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # small sins against the standard
        try:
            table = parse_single_table(io.BytesIO(data))
        except (ValueError, IndexError, KeyError) as error:  # astropy's own among them
            raise unreadable(uri, error) from error
    arrays, fields = [], []
    for column in table.fields:
        values = table.array[column.ID]
        if values.dtype.kind == "c":
            continue
        mask = np.ma.getmaskarray(values) if values.ndim == 1 else None
        array = arrow_array(np.ma.getdata(values), mask)
        unit = str(column.unit) if column.unit is not None else None
        fields.append(field(column.name, array.type, unit=unit, ucd=column.ucd))
        arrays.append(array)
    return pa.table(arrays, schema=pa.schema(fields))
