"""Catalog rows in, as many prediction rows out, whatever fails."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image
from predictors import (
    BOTH_PLANS,
    CLASSES,
    CountingLog,
    Predict,
    in_one_stage,
    in_two_stages,
    kept_rows,
    plan_for,
    rows_with,
    with_stages,
)

from galaxy_models.chunks.chunk_result import ChunkResult
from galaxy_models.scoring import predictor
from galaxy_models.scoring.plan import Plan
from galaxy_models.scoring.predicted import Predicted
from galaxy_models.scoring.predictor import prediction_rows
from galaxy_models.tables.prediction_schema import predictions_schema

ID_18_DIGITS = 587722981736841315
VIEWS = Predicted(
    np.array([[[0.1, 0.7, 0.2], [1 / 3, 1 / 3, 1 / 3], [0.6, 0.3, 0.1]]], np.float32)
)


class BrightnessEngine:
    """Takes a red galaxy for a cigar, a green one for round, a blue one for spiral."""

    def __init__(self, *args: object, **options: object) -> None:
        """Takes what ``load_engine`` takes, and needs none of it."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        sums = images.sum(axis=(1, 2)).astype(np.float32) + 1
        return np.asarray(sums / sums.sum(axis=1, keepdims=True), np.float32)


def png(colour: tuple[int, int, int]) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (20, 20), colour).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def three_rows() -> pa.Table:
    """Three galaxies with ids beyond what a float64 holds."""
    ids = pa.array([ID_18_DIGITS, ID_18_DIGITS + 1, 2])
    return rows_with(ids, ["a.png", "b.png", "c.png"])


def test_rows_name_the_most_probable_class_and_its_probability(
    three_rows: pa.Table,
) -> None:
    table = prediction_rows(
        three_rows, VIEWS, [None] * 3, plan_for(three_rows).request
    ).to_pandas()

    assert table["object_id"].tolist() == [ID_18_DIGITS, ID_18_DIGITS + 1, 2]
    assert table["predicted_class"].tolist() == ["round", "cigar", "cigar"]
    assert table["confidence"].to_numpy() == pytest.approx([0.7, 1 / 3, 0.6])
    assert table["probability_spiral"].to_numpy() == pytest.approx([0.2, 1 / 3, 0.1])
    assert table["status"].tolist() == ["ok"] * 3
    assert table["error"].isna().all()


def test_a_failed_row_has_its_reason_and_no_prediction(three_rows: pa.Table) -> None:
    errors = [None, "truncated: PNG of 3 bytes", None]

    rows = prediction_rows(
        three_rows, VIEWS, errors, plan_for(three_rows).request
    ).to_pylist()

    assert rows[1] == {
        "object_id": ID_18_DIGITS + 1,
        "predicted_class": None,
        "confidence": None,
        "probability_cigar": None,
        "probability_round": None,
        "probability_spiral": None,
        "status": "failed",
        "error": "truncated: PNG of 3 bytes",
    }
    assert rows[0]["predicted_class"] == "round"
    assert rows[2]["predicted_class"] == "cigar"


def test_rows_have_exactly_the_documented_columns(three_rows: pa.Table) -> None:
    plan = plan_for(three_rows, keep=("ra",)).request

    table = prediction_rows(three_rows, VIEWS, [None] * 3, plan)

    expected = predictions_schema(pa.int64(), [three_rows.schema.field("ra")], CLASSES)
    assert table.schema.equals(expected, check_metadata=True)


def test_kept_columns_ride_along_on_failed_rows_too(three_rows: pa.Table) -> None:
    errors: list[str | None] = ["missing: no file"] * 3

    table = prediction_rows(
        three_rows, VIEWS, errors, plan_for(three_rows, keep=("ra",)).request
    )

    assert table["ra"].to_pylist() == [10, 15, 20]


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (pa.int32(), pa.int64()),
        (pa.int64(), pa.int64()),
        (pa.string(), pa.string()),
        (pa.large_string(), pa.string()),
    ],
)
def test_ids_are_int64_or_string(given: pa.DataType, written: pa.DataType) -> None:
    rows = rows_with(pa.array([1, 2, 3]).cast(given), ["a", "b", "c"])

    table = prediction_rows(rows, VIEWS, [None] * 3, plan_for(rows).request)

    assert table["object_id"].type == written
    assert [str(value) for value in table["object_id"].to_pylist()] == ["1", "2", "3"]


def test_no_rows_give_no_rows_with_all_columns() -> None:
    rows = rows_with(pa.array([], pa.int64()), [])
    request = plan_for(rows).request

    table = prediction_rows(
        rows, Predicted(np.empty((1, 0, 3), np.float32)), [], request
    )

    assert table.num_rows == 0
    assert table.schema.equals(request.schema)


@pytest.fixture
def sky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Five galaxies in a catalog on disk, of which three cannot be decoded."""
    monkeypatch.setattr(predictor, "load_engine", BrightnessEngine)
    (tmp_path / "red.png").write_bytes(png((200, 0, 0)))
    (tmp_path / "blue.png").write_bytes(png((0, 0, 200)))
    (tmp_path / "cut.png").write_bytes(png((0, 200, 0))[:60])
    images = ["blue.png", "nowhere.png", "red.png", None, "cut.png"]
    rows = rows_with(pa.array([5, 4, 3, 2, 1]), images)
    pq.write_table(rows, tmp_path / "galaxies.parquet")
    return plan_for(rows, str(tmp_path), ("ra",))


@BOTH_PLANS
def test_a_predictor_keeps_a_row_for_every_galaxy_in_order(
    predict: Predict, sky: Plan
) -> None:
    log = CountingLog()

    told = predict(sky, log, pa.table({"chunk": [0, 1, 2]}))

    chunks = list(ChunkResult.from_table(told))
    assert [(result.chunk, result.counts.num_rows) for result in chunks] == [
        (0, 2),
        (1, 2),
        (2, 1),
    ]
    assert [result.counts.failure_reasons for result in chunks] == [
        *({"missing": 1}, {"missing": 1}, {"truncated": 1})
    ]
    seconds = {"predicting", "writing"}
    seconds |= {"reading", "decoding"} if predict is in_one_stage else set()
    assert [set(result.seconds) for result in chunks] == [seconds] * 3
    assert all(number > 0 for result in chunks for number in result.seconds.values())
    table = kept_rows(sky)
    assert table["object_id"].tolist() == [5, 4, 3, 2, 1]
    assert table["ra"].tolist() == np.linspace(10, 20, 5).tolist()
    classes = table["predicted_class"]
    assert classes[[0, 2]].tolist() == ["spiral", "cigar"]
    assert classes[[1, 3, 4]].isna().all()
    assert table["status"].tolist() == ["ok", "failed", "ok", "failed", "failed"]
    reasons = table["error"].dropna().str.partition(":")[0].tolist()
    assert reasons == ["missing", "missing", "truncated"]
    assert log.counts == {"rows": 5, "failed": 3}


def test_a_chunk_that_is_kept_is_not_predicted_again(sky: Plan) -> None:
    in_one_stage(sky, CountingLog(), pa.table({"chunk": [0, 1]}))
    log = CountingLog()

    told = in_one_stage(sky, log, pa.table({"chunk": [0, 1, 2]}))

    assert log.counts == {"rows": 1, "failed": 1}
    chunks = list(ChunkResult.from_table(told))
    assert [result.counts.num_rows for result in chunks] == [2, 2, 1]
    assert [result.counts.num_failed for result in chunks] == [1, 1, 1]
    assert len(kept_rows(sky)) == 5


@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_a_chunk_is_predicted_in_batches(sky: Plan, batch_size: int) -> None:
    ledger = dataclasses.replace(sky.ledger, rows_per_chunk=5)
    plan = dataclasses.replace(with_stages(sky, batch_size=batch_size), ledger=ledger)

    in_two_stages(plan, CountingLog(), pa.table({"chunk": [0]}))

    classes = kept_rows(plan)["predicted_class"]
    assert classes[[0, 2]].tolist() == ["spiral", "cigar"]
