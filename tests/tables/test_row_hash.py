"""Rows have one name, however they are cut; other rows have another."""

import datetime

import numpy as np
import pyarrow as pa
import pytest

from galaxy_models.tables.row_hash import RowHash

TABLE = pa.table(
    {
        "object_id": pa.array([587722981736841315, 2, 3, 4, 5]),
        "image": pa.array(["a.jpg", None, "", "b.jpg", "größe.jpg"]),
        "image_bytes": pa.array([b"\x00\x01", b"", None, b"abc", b"d"]),
        "label": pa.array(["x", "y", "x", None, "y"], pa.large_string()),
        "ra": pa.array([1.5, None, float("nan"), -0.0, 2.0], pa.float32()),
        "is_good": pa.array([True, None, False, True, True]),
        "day": pa.array([datetime.date(2026, 1, day) for day in range(1, 6)]),
        "flux": pa.array([[1.0, 2.0], None, [], [3.0], [None]]),
        "pair": pa.array(
            [[1, 2], [3, 4], None, [5, 6], [7, 8]], pa.list_(pa.int8(), 2)
        ),
        "file": pa.array(
            [{"path": "a", "bytes": b"1"}, None, {"path": None}, {}, {"path": "z"}]
        ),
        "band": pa.array(["g", "r", None, "g", "r"]).dictionary_encode(),
        "nothing": pa.nulls(5),
    }
)


def hash_of(table: pa.Table, rows_per_batch: int = 100) -> str:
    rows = RowHash(table.schema)
    for batch in table.to_batches(rows_per_batch):
        rows.add(batch)
    return rows.hexdigest()


@pytest.mark.parametrize("rows_per_batch", [1, 2, 3])
def test_rows_have_one_hash_however_they_are_cut(rows_per_batch: int) -> None:
    assert hash_of(TABLE, rows_per_batch) == hash_of(TABLE)


def test_a_slice_has_the_hash_of_its_rows() -> None:
    copy = pa.Table.from_pylist(TABLE.slice(1, 3).to_pylist(), schema=TABLE.schema)

    assert hash_of(TABLE.slice(1, 3)) == hash_of(copy)


@pytest.mark.parametrize("name", TABLE.column_names)
def test_a_value_that_changes_gives_another_hash(name: str) -> None:
    order = [0, 1, 2, 4, 3] if name != "nothing" else [0, 1, 2, 3]
    index = TABLE.column_names.index(name)
    column = TABLE[name].take(pa.array(order))
    changed = TABLE.slice(0, len(order)).set_column(
        index, TABLE.schema.field(name), column
    )
    if name == "is_good":
        changed = changed.slice(1)

    assert hash_of(changed) != hash_of(TABLE)


def test_a_null_is_neither_an_empty_text_nor_zero() -> None:
    for null, value in ((None, ""), (None, 0)):
        type_ = pa.scalar(value).type
        tables = [pa.table({"a": pa.array([one], type_)}) for one in (null, value)]
        assert hash_of(tables[0]) != hash_of(tables[1])


def test_what_stands_in_the_bytes_of_a_null_does_not_count() -> None:
    mask = np.array([False, True])
    tables = [
        pa.table({"a": pa.array(np.array([1, hidden]), mask=mask)}) for hidden in (7, 8)
    ]
    assert hash_of(tables[0]) == hash_of(tables[1])


def test_text_that_moves_to_the_next_row_gives_another_hash() -> None:
    assert hash_of(pa.table({"a": ["ab", "c"]})) != hash_of(
        pa.table({"a": ["a", "bc"]})
    )


def test_names_and_types_count() -> None:
    numbers = pa.table({"a": pa.array([1], pa.int32())})

    assert hash_of(numbers) != hash_of(numbers.rename_columns(["b"]))
    assert hash_of(numbers) != hash_of(numbers.cast(pa.schema({"a": pa.int64()})))
