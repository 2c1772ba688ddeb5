"""The interface of every format: a schema, and rows in batches.

Knows Arrow; it knows neither formats nor what columns mean.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.errors import CatalogError, GalaxyBatchError
from galaxy_models.storage import s3


class Table(ABC):
    """A table that was opened but not read."""

    uri: str
    """What the user named, absolute; for messages."""

    image_root: str
    """URI of the folder that relative image paths start from."""

    schema: pa.Schema
    """Every column; units and UCDs are in the fields' metadata."""

    repeated_ids_remedy: str = "every galaxy needs its own id"
    """What to do about rows with the same id."""

    types_are_guessed: bool = False
    """Whether columns have no types of their own, as in a text file."""

    stated_columns: Mapping[str, str] = MappingProxyType({})
    """Columns that the table itself says have a role: names by ``columns.ALIASES``."""

    stated_rows: int | None = None
    """How many rows the table itself says it has."""

    @abstractmethod
    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Read some columns, a batch at a time."""

    def read_batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read some columns, a batch at a time, in the order of the rows.

        Raises:
            CatalogError: the table cannot be read on.
            StorageError: its store stopped answering.
        """
        try:
            yield from self._batches(list(columns))
        except (pa.ArrowException, OSError) as error:
            raise unreadable(self.uri, error) from error

    def with_text(self, column: str) -> "Table":
        """Open the table again, a column's text not guessed into numbers."""
        del column
        return self


def unreadable(uri: str, error: Exception | str) -> GalaxyBatchError:
    """Say in a line that a table cannot be read: its own fault, or its store's."""
    if isinstance(error, OSError) and s3.is_store_error(error):
        return s3.explained(uri, error)
    reason = " ".join(str(error).split())
    return CatalogError(
        f"cannot read the catalog {uri}: {reason}; if it was cut short or damaged, "
        "copy it again."
    )


def field(name: str, type_: pa.DataType, **metadata: str | None) -> pa.Field:
    """Describe a column, with such metadata as there is."""
    known = {key: value for key, value in metadata.items() if value}
    return pa.field(name, type_, metadata=known or None)


def arrow_array(
    values: NDArray[Any], mask: NDArray[np.bool_] | None = None
) -> pa.Array:
    """Turn a column of astropy's into Arrow's.

    Args:
        values: shape (rows, …), of any byte order; further axes become a list.
        mask: shape (rows,), True where null.

    Returns:
        As many values; strings without the blanks that pad them.

    Raises:
        TypeError: Arrow has no such type (complex numbers, objects).
    """
    if values.ndim > 1:
        flat = arrow_array(values.reshape(-1))
        return pa.FixedSizeListArray.from_arrays(flat, int(np.prod(values.shape[1:])))
    if values.dtype.kind in "SUO":
        texts = [_text(value) for value in values.tolist()]
        return pa.array(texts, pa.string(), mask=mask)
    if values.dtype.kind not in "biuf":
        raise TypeError(f"{values.dtype} has no column type")
    native = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    return pa.array(native, mask=mask)


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        value = value.decode()
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} has no column type")
    return value.rstrip("\0 ")
