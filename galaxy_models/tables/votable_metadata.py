"""Arrow columns -> their metadata as a VOTable header (VOParquet).

VOParquet keeps a VOTable without data in a Parquet file's metadata: each column with
its type, unit, meaning and UCD (the VO's word for what a quantity is).
``astropy.table.Table.read(path, format="parquet.votable")`` reads it.

This module knows columns only; it neither reads nor writes files.

Source:
    VOParquet 1.0 (IVOA note, 2025); VOTable 1.4; UCD1+ controlled vocabulary 1.5.
"""

from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.compute as pc

VERSION_KEY = b"IVOA.VOTable-Parquet.version"
CONTENT_KEY = b"IVOA.VOTable-Parquet.content"
VOTABLE_NAMESPACE = "http://www.ivoa.net/xml/VOTable/v1.3"  # of 1.3 and 1.4 alike
TEXT = "unicodeChar"
TEXTS = pa.list_(pa.string())
VOTABLE_TYPES = {
    pa.bool_(): "boolean",
    pa.uint8(): "unsignedByte",
    pa.int8(): "short",
    pa.int16(): "short",
    pa.uint16(): "int",
    pa.int32(): "int",
    pa.uint32(): "long",
    pa.int64(): "long",
    pa.uint64(): "long",
    pa.float16(): "float",  # of 32 bits: there is none of 16
    pa.float32(): "float",
    pa.float64(): "double",
}
NULL_LENGTH = len("None")  # as astropy spells a null text


def votable_metadata(table: pa.Table, table_name: str) -> dict[bytes, bytes]:
    """Describe a table's columns as VOParquet does.

    Args:
        table: ``unit``, ``ucd`` and ``description`` of a column stand in its field's
            metadata, as far as they are known.
        table_name: what the table is called.

    Returns:
        Entries for the Parquet file's metadata: VOParquet's two, and for each column
        of texts astropy's of their length, which it cannot find out where some are
        null.
    """
    root = ElementTree.Element("VOTABLE", version="1.4", xmlns=VOTABLE_NAMESPACE)
    resource = ElementTree.SubElement(root, "RESOURCE", type="results")
    element = ElementTree.SubElement(resource, "TABLE", name=table_name)
    lengths = _text_lengths(table)
    for column in table.schema:
        element.append(_field_of(column, lengths.get(column.name)))
    content = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return {
        VERSION_KEY: b"1.0",
        CONTENT_KEY: content,
        **{f"table::len::{k}".encode(): str(v).encode() for k, v in lengths.items()},
    }


def _text_lengths(table: pa.Table) -> dict[str, int]:
    """Characters of the longest text of each column of texts, or of lists of them."""
    texts = {
        column.name: pc.list_flatten(values) if column.type == TEXTS else values
        for column, values in zip(table.schema, table.columns, strict=True)
        if column.type == TEXTS or column.type in (pa.string(), pa.large_string())
    }
    return {
        name: max(pc.max(pc.utf8_length(values)).as_py() or 0, NULL_LENGTH)
        for name, values in texts.items()
    }


def _field_of(column: pa.Field, length: int | None) -> ElementTree.Element:
    known = {
        key.decode(): value.decode() for key, value in (column.metadata or {}).items()
    }
    datatype, arraysize = VOTABLE_TYPES.get(column.type), None
    if pa.types.is_fixed_size_list(column.type):
        datatype = VOTABLE_TYPES.get(column.type.value_type)
        arraysize = str(column.type.list_size)
    if column.type == TEXTS:
        length = None  # in a header texts have one dimension
    attributes = {
        "name": column.name,
        "datatype": datatype or TEXT,
        "arraysize": arraysize if datatype else str(length or "*"),
        "unit": known.get("unit"),
        "ucd": known.get("ucd"),
    }
    field = ElementTree.Element("FIELD", {k: v for k, v in attributes.items() if v})
    if known.get("description"):
        ElementTree.SubElement(field, "DESCRIPTION").text = known["description"]
    return field
