"""Ids of galaxies: checked, counted, and hashed to a fingerprint of their set.

Memory holds 8 bytes a row, of large tables the disk: see ``sorted_hashes``.
"""

import hashlib
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from galaxy_models.errors import CatalogError
from galaxy_models.tables.formats import Table
from galaxy_models.tables.sorted_hashes import SortedHashes

REMEDY = "every galaxy needs its own id"
MAX_NAMED_VALUES = 5  # how many offending values a message shows
# What programs write for floats: 982076.0, 5.87e+17, 1e+17, Java's 5.87E17. Programs
# write no leading zero, and an exponent after a point or with a sign.
WRITTEN_FLOAT = (
    r"^-?((0|[1-9][0-9]*)\.0+|[0-9]\.[0-9]+[eE]\+?[0-9]+|[0-9][eE]\+[0-9]{2,})$"
)


class IdSet:
    """The ids of a table: each is checked as it comes; together they have a name.

    Args:
        table: whose ids they are; read again only where they seem to be repeated.
        id_column: its column of ids.
        remedy: what to do about repeated ids.

    Raises:
        CatalogError: ids of this type are neither strings nor integers.
    """

    def __init__(
        self,
        table: Table,
        id_column: str,
        remedy: str = REMEDY,
    ) -> None:
        _check_type(table.schema.field(id_column), table.uri)
        self._table, self._column, self._remedy = table, id_column, remedy
        self._hashes = SortedHashes()
        self._are_floats, self._example = True, ""  # until an id is none

    def add(self, ids: pa.Array) -> None:
        """Take in ids of further rows.

        Raises:
            CatalogError: one is null, or beyond 64 signed bits.
            StorageError: the ids of a large table need a disk that is full.
        """
        if ids.null_count:
            raise CatalogError(
                f"column {self._column!r} of {self._table.uri} is null in "
                f"{ids.null_count} row(s) or more; every galaxy needs an id."
            )
        if pa.types.is_integer(ids.type):
            _check_range(ids, self._column, self._table.uri)
        self._look_for_floats(ids)
        self._hashes.add(_hash_ids(ids))

    def fingerprint(self) -> tuple[str, int]:
        """Name the set of the ids, in any order and of either type.

        Returns:
            A hash of the ids' texts in hexadecimal, and how many there are.

        Raises:
            CatalogError: there is none, one is repeated, or all are texts of floats.
        """
        digest, num_ids, repeated = hashlib.blake2b(digest_size=8), 0, []
        for hashes in self._hashes.parts():
            digest.update(hashes.data)
            num_ids += len(hashes)
            repeated.append(hashes[1:][hashes[1:] == hashes[:-1]])
        if not num_ids:
            raise CatalogError(f"the catalog {self._table.uri} has no rows.")
        if self._are_floats:
            raise CatalogError(
                f"ids in column {self._column!r} of {self._table.uri} are texts of "
                f"floats, such as {self._example!r}; write them again as integers or "
                "as texts (in pandas of dtype int64 or str): a float cannot hold an "
                "18-digit id."
            )
        suspects = np.concatenate(repeated)
        if len(suspects):
            _refuse_repeated_ids(self._table, self._column, suspects, self._remedy)
        return digest.hexdigest(), num_ids

    def _look_for_floats(self, ids: pa.Array) -> None:
        """Note whether all ids so far are texts that a program wrote for floats."""
        if not self._are_floats or not len(ids):
            return
        self._are_floats = not pa.types.is_integer(ids.type) and bool(
            pc.all(pc.match_substring_regex(ids, WRITTEN_FLOAT)).as_py()
        )
        self._example = ids[0].as_py()


def fingerprint_ids(
    table: Table, id_column: str, remedy: str = REMEDY
) -> tuple[str, int]:
    """Check the ids of a table, and name their set; see ``IdSet``.

    Raises:
        CatalogError: they are no ids.
    """
    ids = IdSet(table, id_column, remedy)
    for batch in table.read_batches([id_column]):
        ids.add(batch.column(id_column))
    return ids.fingerprint()


def plain_integers(ids: pa.Array) -> pa.Array | None:
    """Read texts as 64-bit integers, if all survive the way back: 007 does not."""
    try:
        numbers = pc.cast(ids, pa.int64())
    except pa.ArrowInvalid:
        return None
    survive = pc.all(pc.equal(numbers.cast(ids.type), ids), min_count=0)
    return numbers if survive.as_py() else None


def shown(values: list[str]) -> str:
    """List the first few of many values, for an error's message; blanks in quotes."""
    more = ", …" if len(values) > MAX_NAMED_VALUES else ""
    first = values[:MAX_NAMED_VALUES]
    return ", ".join(v if v == v.strip() else repr(v) for v in first) + more


def _check_type(field: pa.Field, uri: str) -> None:
    is_text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    if not is_text and not pa.types.is_integer(field.type):
        raise CatalogError(
            f"ids in column {field.name!r} of {uri} are {field.type}; they must be "
            "strings or integers (a float cannot hold an 18-digit id)."
        )


def _check_range(ids: pa.Array, id_column: str, uri: str) -> None:
    try:
        pc.cast(ids, pa.int64())
    except pa.ArrowInvalid as error:
        raise CatalogError(
            f"ids in column {id_column!r} of {uri} do not fit into 64 signed bits "
            f"({error}); store them as strings."
        ) from error


def _hash_ids(ids: pa.Array) -> NDArray[np.uint64]:
    """Hash ids by their text, so that a copy of another type keeps its hashes."""
    texts = ids.cast(pa.string()).to_numpy(zero_copy_only=False)
    hashes = pd.util.hash_array(texts.astype(object), categorize=False)
    return np.asarray(hashes, np.uint64)


def _refuse_repeated_ids(
    table: Table, id_column: str, repeated: NDArray[np.uint64], remedy: str
) -> None:
    """Raise if ids, not only their hashes, are repeated."""
    counts: Counter[object] = Counter()
    for batch in table.read_batches([id_column]):
        ids = batch.column(id_column)
        suspects = ids.filter(pa.array(np.isin(_hash_ids(ids), repeated)))
        counts.update(suspects.to_pylist())
    names = [str(name) for name, count in counts.items() if count > 1]
    if names:
        raise CatalogError(
            f"{len(names)} id(s) of column {id_column!r} in {table.uri} occur more "
            f"than once: {shown(names)}; {remedy}."
        )
