"""The columns of the predictions."""

import pyarrow as pa
import pytest

from galaxy_models.tables.prediction_schema import (
    PREDICTION_COLUMNS,
    kept_field,
    predictions_schema,
    probability_column,
)


def test_columns_stand_in_the_order_in_which_people_read_them() -> None:
    kept = [pa.field("ra", pa.float64())]

    schema = predictions_schema(pa.int64(), kept, ("cigar", "round"))

    assert schema.names == [
        "object_id", "ra", "predicted_class", "confidence", "probability_cigar",
        "probability_round", "status", "error",
    ]  # fmt: skip


def test_the_spread_of_views_stands_behind_the_probabilities() -> None:
    schema = predictions_schema(pa.int64(), [], ("cigar", "round"), spread=True)

    assert schema.names[-4:] == [
        "probability_round", "probability_spread", "status", "error",
    ]  # fmt: skip
    assert schema.field("probability_spread").type == pa.float32()


def test_ids_keep_their_type_and_probabilities_are_float32() -> None:
    for id_type in (pa.int64(), pa.string()):
        schema = predictions_schema(id_type, [], ("cigar", "round"))

        assert schema.field("object_id").type == id_type
        assert schema.field("confidence").type == pa.float32()
        assert schema.field("probability_round").type == pa.float32()
        assert schema.field("status").type == pa.string()


def test_kept_columns_keep_their_type_and_metadata() -> None:
    kept = pa.field("mag", pa.float64(), metadata={"unit": "mag"})

    field = predictions_schema(pa.int64(), [kept], ("a", "b")).field("mag")

    assert field.equals(kept, check_metadata=True)


def test_a_position_says_so_unless_its_catalog_does() -> None:
    kept = [
        pa.field("ra", pa.float64()),
        pa.field("dec", pa.float64(), metadata={"unit": "rad", "ucd": "pos.eq.dec"}),
    ]

    schema = predictions_schema(pa.int64(), kept, ("a", "b"))

    assert schema.field("ra").metadata == {
        b"unit": b"deg",
        b"ucd": b"pos.eq.ra;meta.main",
    }
    assert schema.field("dec").equals(kept[1], check_metadata=True)


def test_every_column_says_what_it_means() -> None:
    schema = predictions_schema(pa.int64(), [], ("cigar", "round"), spread=True)

    meanings = {column.name: column.meaning for column in PREDICTION_COLUMNS}
    for field in schema:
        name = field.name
        if name in (probability_column("cigar"), probability_column("round")):
            name = "probability_<class>"
        assert field.metadata[b"description"].decode() == meanings[name]


@pytest.mark.parametrize("type_", [pa.string(), pa.large_string()])
def test_kept_texts_are_of_one_type_and_may_be_null(type_: pa.DataType) -> None:
    column = pa.field("name", type_, nullable=False, metadata={"ucd": "meta.id"})

    kept = kept_field(column)

    assert (kept.type, kept.nullable) == (pa.string(), True)
    assert kept.metadata == {b"ucd": b"meta.id"}
