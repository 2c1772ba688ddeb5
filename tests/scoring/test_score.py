"""A whole scoring run on Ray: every catalog row comes out once, whatever it holds."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from unlabelled_survey import NUM_UNLABELLED, config_for

from galaxy_models.config import ScoreConfig
from galaxy_models.errors import ScoringError
from galaxy_models.images.decode import DecodeRule, read_images
from galaxy_models.models.calibration import with_temperature
from galaxy_models.models.folder import load_model, read_card
from galaxy_models.scoring import pipeline, score
from galaxy_models.scoring.run_record import count_predictions
from galaxy_models.simulation import CLASSES, Survey
from galaxy_models.tables.catalog import open_catalog

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ray_here")]


def calibrated_predictions(
    model_folder: str, images: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """What the trained network says under its card's temperature."""
    raw = load_model(model_folder).predict_on_batch(images)
    return with_temperature(raw, read_card(model_folder).temperature)


@pytest.fixture(scope="module")
def scored(
    model_folder: str, unlabelled: Survey, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    output = tmp_path_factory.mktemp("predictions") / "out"
    config = config_for(
        unlabelled,
        model_folder,
        output,
        plan="fused",
        keep=("ra", "dec"),
        rows_per_chunk=20,
    )
    score(config)
    return output


def test_every_galaxy_comes_out_once(scored: Path, unlabelled: Survey) -> None:
    table = pd.read_parquet(scored)
    catalog = pd.read_parquet(unlabelled.catalog)
    assert len(table) == NUM_UNLABELLED
    assert set(table["object_id"]) == set(catalog["object_id"])
    assert table["object_id"].dtype == np.int64


def test_broken_images_become_failed_rows_that_say_why(
    scored: Path, unlabelled: Survey
) -> None:
    table = pd.read_parquet(scored).set_index("object_id")
    failed = table[table["status"] == "failed"]
    assert set(failed.index) == set(unlabelled.broken_object_ids)
    reasons = failed["error"].str.partition(":")[0]
    assert set(reasons) == {"truncated", "not_an_image", "missing"}
    assert failed["predicted_class"].isna().all()
    assert failed["confidence"].isna().all()
    assert table.loc[table["status"] == "ok", "error"].isna().all()


def test_columns_and_types_are_the_contract(scored: Path) -> None:
    schema = pq.read_schema(next(scored.glob("*.parquet")))
    assert schema.names == [
        "object_id",
        "ra",
        "dec",
        "predicted_class",
        "confidence",
        *(f"probability_{name}" for name in sorted(CLASSES)),
        "status",
        "error",
    ]
    assert str(schema.field("confidence").type) == "float"
    assert str(schema.field("predicted_class").type) == "string"


def test_probabilities_are_those_of_the_model_on_that_image(
    scored: Path, unlabelled: Survey, model_folder: str
) -> None:
    table = pd.read_parquet(scored).set_index("object_id")
    table = table[table["status"] == "ok"]
    paths = pd.read_parquet(unlabelled.catalog).set_index("object_id")["image"]
    images, _ = read_images(
        paths.loc[table.index].tolist(), str(unlabelled.catalog.parent), DecodeRule(32)
    )
    expected = calibrated_predictions(model_folder, images)
    columns = [f"probability_{name}" for name in sorted(CLASSES)]
    np.testing.assert_allclose(table[columns], expected, atol=1e-4)
    best = np.asarray(sorted(CLASSES))[expected.argmax(axis=1)]
    assert (table["predicted_class"] == best).mean() > 0.98
    np.testing.assert_allclose(table["confidence"], table[columns].max(axis=1))


def test_kept_columns_ride_along_unchanged(scored: Path, unlabelled: Survey) -> None:
    table = pd.read_parquet(scored).set_index("object_id")
    catalog = pd.read_parquet(unlabelled.catalog).set_index("object_id")
    for name in ("ra", "dec"):
        assert (table[name] == catalog.loc[table.index, name]).all()


def test_the_run_record_counts_what_is_there(scored: Path, unlabelled: Survey) -> None:
    record = json.loads((scored / "_run.json").read_text())
    table = pd.read_parquet(scored)
    assert record["num_rows"] == NUM_UNLABELLED
    num_failed = len(unlabelled.broken_object_ids)
    assert record["num_failed"] == num_failed
    assert record["statuses"] == {
        "ok": NUM_UNLABELLED - num_failed,
        "failed": num_failed,
    }
    reasons = {"not_an_image": 4, "truncated": 2, "missing": 2}
    assert record["failure_reasons"] == reasons
    assert record["classes"] == table["predicted_class"].value_counts().to_dict()
    assert record["num_rows_this_run"] == NUM_UNLABELLED
    rate = NUM_UNLABELLED / record["seconds_this_run"]
    assert record["rows_per_s_this_run"] == pytest.approx(rate, rel=0.1)


def test_the_stages_of_the_run_record_add_up_to_its_wall_time(scored: Path) -> None:
    record = json.loads((scored / "_run.json").read_text())

    stages = record["stage_seconds_this_run"]

    assert set(stages) == {"reading", "decoding", "predicting", "writing", "waiting"}
    assert stages["predicting"] > 0
    assert record["num_workers_this_run"] >= 1
    assert sum(stages.values()) == pytest.approx(record["seconds_this_run"], abs=0.3)


def test_a_run_with_nothing_left_to_score_says_so_in_its_record(
    unlabelled: Survey,
    model_folder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = config_for(unlabelled, model_folder, tmp_path / "out", plan="local")
    with monkeypatch.context() as crash:
        crash.delattr(pipeline, "record_run")  # it dies with all rows written
        with pytest.raises(NameError):
            score(config)

    record = score(config)

    assert (record.num_rows, record.num_rows_this_run) == (NUM_UNLABELLED, 0)
    assert record.rows_per_s_this_run == 0
    assert record.statuses == {"ok": NUM_UNLABELLED - 8, "failed": 8}


def test_this_process_alone_writes_the_same_bytes_as_actors(
    scored: Path, unlabelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    changes = {"plan": "local", "keep": ("ra", "dec"), "rows_per_chunk": 20}
    score(config_for(unlabelled, model_folder, tmp_path / "out", **changes))
    (part,) = (path.name for path in scored.glob("*.parquet"))
    assert (tmp_path / "out" / part).read_bytes() == (scored / part).read_bytes()


def test_actors_in_two_stages_give_the_same_table(
    scored: Path, unlabelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    changes = {"plan": "two-stage", "keep": ("ra", "dec")}
    score(config_for(unlabelled, model_folder, tmp_path / "out", **changes))
    tables = (pd.read_parquet(path) for path in (scored, tmp_path / "out"))
    one, other = (table.set_index("object_id").sort_index() for table in tables)
    pd.testing.assert_frame_equal(one, other, atol=1e-5)


@pytest.mark.parametrize("engine", ["keras", "litert-float"])
def test_both_plans_and_both_float_engines_predict_the_same(
    without_actors: None,
    engine: Any,
    unlabelled: Survey,
    model_folder: str,
    tmp_path: Path,
) -> None:
    tables = []
    for plan in ("fused", "two-stage"):
        output = tmp_path / plan
        record = score(
            config_for(
                unlabelled,
                model_folder,
                output,
                engine=engine,
                plan=plan,
                batch_size=16,
            )
        )
        assert record.engine == engine
        tables.append(pd.read_parquet(output).set_index("object_id").sort_index())
    pd.testing.assert_frame_equal(tables[0], tables[1], atol=1e-5)
    paths = pd.read_parquet(unlabelled.catalog).set_index("object_id")["image"]
    good = tables[0][tables[0]["status"] == "ok"]
    images, _ = read_images(
        paths.loc[good.index].tolist(), str(unlabelled.catalog.parent), DecodeRule(32)
    )
    expected = calibrated_predictions(model_folder, images)
    columns = [f"probability_{name}" for name in sorted(CLASSES)]
    np.testing.assert_allclose(good[columns], expected, atol=1e-4)


def test_a_csv_catalog_gives_the_same_predictions(
    scored: Path,
    unlabelled: Survey,
    model_folder: str,
    tmp_path: Path,
) -> None:
    catalog = unlabelled.catalog.parent / "same.csv"
    pd.read_parquet(unlabelled.catalog).to_csv(catalog, index=False)
    output = tmp_path / "out"
    changes = {"catalog": str(catalog), "plan": "local"}
    score(config_for(unlabelled, model_folder, output, **changes))
    by_csv = pd.read_parquet(output).set_index("object_id").sort_index()
    by_parquet = pd.read_parquet(scored).set_index("object_id").sort_index()
    pd.testing.assert_frame_equal(by_csv, by_parquet[by_csv.columns], atol=1e-5)
    assert not (output / "_staged_catalog").exists()


@pytest.mark.parametrize("plan", ["local", "fused"])
def test_progress_is_said_in_the_log(
    without_actors: None,
    plan: str,
    unlabelled: Survey,
    model_folder: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        score(
            config_for(
                unlabelled,
                model_folder,
                tmp_path / "out",
                plan=plan,
                progress_interval_s=1e-6,  # whenever it may be said
            )
        )
    lines = [record.getMessage() for record in caplog.records]
    assert any("90 of 90 rows (100 %)" in line and "8 failed" in line for line in lines)


@pytest.mark.real_data
def test_of_the_real_survey_exactly_the_truncated_image_fails(
    galaxy_data: Path, model_folder: str, tmp_path: Path
) -> None:
    config = ScoreConfig(
        catalog=str(galaxy_data / "sdss_survey" / "catalog.parquet"),
        model=model_folder,
        output=str(tmp_path / "out"),
        engine="litert-int8",
        keep=("ra", "dec"),
    )
    score(config)
    table = pd.read_parquet(tmp_path / "out")
    assert len(table) == table["object_id"].nunique() == 4001
    failed = table[table["status"] == "failed"]
    assert len(failed) == 1
    assert failed["ra"].item() == pytest.approx(57.618371)
    assert failed["error"].item().startswith("truncated")


def test_lost_rows_end_the_job_in_an_error(
    scored: Path, unlabelled: Survey, tmp_path: Path
) -> None:
    catalog = open_catalog(
        ScoreConfig(catalog=str(unlabelled.catalog), model="m", output="o"),
        str(tmp_path),
    )
    table = pq.read_table(scored)
    pq.write_table(table.slice(1), tmp_path / "part.parquet")
    with pytest.raises(ScoringError, match="89 rows for the 90"):
        count_predictions(str(tmp_path), catalog)


def test_rows_written_twice_end_the_job_in_an_error(
    scored: Path, unlabelled: Survey, tmp_path: Path
) -> None:
    catalog = open_catalog(
        ScoreConfig(catalog=str(unlabelled.catalog), model="m", output="o"),
        str(tmp_path),
    )
    table = pq.read_table(scored)
    pq.write_table(table, tmp_path / "whole.parquet")
    pq.write_table(table.slice(0, 1), tmp_path / "again.parquet")
    with pytest.raises(ScoringError, match="1 id.* more than once"):
        count_predictions(str(tmp_path), catalog)
