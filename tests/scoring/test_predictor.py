"""Catalog rows in, as many prediction rows out, whatever fails."""

import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from PIL import Image

from galaxy_models.catalog import Catalog
from galaxy_models.images import DecodeRule
from galaxy_models.job_log import JobLog
from galaxy_models.schemas import predictions_schema
from galaxy_models.scoring import predictor
from galaxy_models.scoring.predictor import (
    FusedPredictor,
    Predictor,
    PredictorPlan,
    decode_rows,
    prediction_rows,
)
from galaxy_models.tables import ParquetTable

ID_18_DIGITS = 587722981736841315
CLASSES = ("cigar", "round", "spiral")
PROBABILITIES = np.array(
    [[0.1, 0.7, 0.2], [1 / 3, 1 / 3, 1 / 3], [0.6, 0.3, 0.1]], np.float32
)


class CountingLog(JobLog):
    """Adds up what the predictor counts, without an actor."""

    def __init__(self) -> None:
        super().__init__(None)
        self.counts: Counter[str] = Counter()

    def count(self, **numbers: int) -> None:
        self.counts.update(numbers)


class BrightnessEngine:
    """Takes a red galaxy for a cigar, a green one for round, a blue one for spiral."""

    def __init__(self, *args: object, **options: object) -> None:
        """Takes what ``load_engine`` takes, and needs none of it."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        sums = images.sum(axis=(1, 2)).astype(np.float32) + 1
        return np.asarray(sums / sums.sum(axis=1, keepdims=True), np.float32)


def rows_with(ids: pa.Array, images: list[str | None]) -> pa.Table:
    ra = pa.array(np.linspace(10, 20, len(images)))
    return pa.table({"dr7": ids, "image": pa.array(images, pa.string()), "ra": ra})


def plan_for(rows: pa.Table, root: str = "/", keep: tuple[str, ...] = ()) -> (
    PredictorPlan
):  # fmt: skip
    catalog = Catalog(
        uri="/sky/galaxies.parquet",
        table=ParquetTable(
            "/sky/galaxies.parquet", "/sky", ("galaxies.parquet",), rows.schema
        ),
        id_column="dr7",
        image_column="image",
        image_root=root,
        num_rows=rows.num_rows,
        fingerprint="0",
    )
    return PredictorPlan(
        model_uri="/model",
        catalog=catalog,
        keep=keep,
        classes=CLASSES,
        decode_rule=DecodeRule(16),
        engine="keras",
        threads=1,
        batch_size=8,
    )


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
        three_rows, PROBABILITIES, [None] * 3, plan_for(three_rows)
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
        three_rows, PROBABILITIES, errors, plan_for(three_rows)
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
    plan = plan_for(three_rows, keep=("ra",))

    table = prediction_rows(three_rows, PROBABILITIES, [None] * 3, plan)

    expected = predictions_schema(pa.int64(), [three_rows.schema.field("ra")], CLASSES)
    assert table.schema.equals(expected, check_metadata=True)


def test_kept_columns_ride_along_on_failed_rows_too(three_rows: pa.Table) -> None:
    errors: list[str | None] = ["missing: no file"] * 3

    table = prediction_rows(
        three_rows, PROBABILITIES, errors, plan_for(three_rows, keep=("ra",))
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

    table = prediction_rows(rows, PROBABILITIES, [None] * 3, plan_for(rows))

    assert table["object_id"].type == written
    assert [str(value) for value in table["object_id"].to_pylist()] == ["1", "2", "3"]


def test_no_rows_give_no_rows_with_all_columns() -> None:
    rows = rows_with(pa.array([], pa.int64()), [])
    plan = plan_for(rows)

    table = prediction_rows(rows, np.empty((0, 3), np.float32), [], plan)

    assert table.num_rows == 0
    assert table.schema.equals(plan.schema)


def in_one_stage(plan: PredictorPlan, log: JobLog, rows: pa.Table) -> pa.Table:
    return FusedPredictor(plan, log)(rows)


def in_two_stages(plan: PredictorPlan, log: JobLog, rows: pa.Table) -> pa.Table:
    return Predictor(plan, log)(decode_rows(rows, plan=plan))


BOTH_PLANS = pytest.mark.parametrize("predict", [in_one_stage, in_two_stages])
Predict = Callable[[PredictorPlan, JobLog, pa.Table], pa.Table]


@BOTH_PLANS
def test_a_predictor_gives_a_row_for_every_galaxy_in_order(
    predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "load_engine", BrightnessEngine)
    (tmp_path / "red.png").write_bytes(png((200, 0, 0)))
    (tmp_path / "blue.png").write_bytes(png((0, 0, 200)))
    (tmp_path / "cut.png").write_bytes(png((0, 200, 0))[:60])
    images = ["blue.png", "nowhere.png", "red.png", None, "cut.png"]
    rows = rows_with(pa.array([5, 4, 3, 2, 1]), images)
    log = CountingLog()

    plan = plan_for(rows, str(tmp_path), ("ra",))
    table = predict(plan, log, rows).to_pandas()

    assert table["object_id"].tolist() == [5, 4, 3, 2, 1]
    classes = table["predicted_class"]
    assert classes[[0, 2]].tolist() == ["spiral", "cigar"]
    assert classes[[1, 3, 4]].isna().all()
    assert table["status"].tolist() == ["ok", "failed", "ok", "failed", "failed"]
    reasons = table["error"].dropna().str.partition(":")[0].tolist()
    assert reasons == ["missing", "missing", "truncated"]
    assert log.counts == {"rows": 5, "failed": 3}


@BOTH_PLANS
def test_a_predictor_takes_a_batch_without_galaxies(
    predict: Predict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "load_engine", BrightnessEngine)
    rows = rows_with(pa.array([], pa.int64()), [])

    assert predict(plan_for(rows), CountingLog(), rows).num_rows == 0


def test_pixels_of_a_slice_of_rows_stay_with_their_galaxies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "load_engine", BrightnessEngine)
    for name, colour in (("red", (200, 0, 0)), ("blue", (0, 0, 200))):
        (tmp_path / f"{name}.png").write_bytes(png(colour))
    rows = rows_with(pa.array([1, 2, 3]), ["red.png", "blue.png", "red.png"])
    plan = plan_for(rows, str(tmp_path))
    decoded = decode_rows(rows, plan=plan).slice(1)
    table = Predictor(plan, CountingLog())(decoded)
    assert table["predicted_class"].to_pylist() == ["spiral", "cigar"]
