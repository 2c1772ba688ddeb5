"""A whole scoring run on Ray: every catalog row comes out once, whatever it holds."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from galaxy_models.calibration import with_temperature
from galaxy_models.catalog import open_catalog
from galaxy_models.config import ScoreConfig
from galaxy_models.errors import (
    CatalogError,
    ModelFolderError,
    OutputError,
    ResourceError,
    ScoringError,
)
from galaxy_models.images import DecodeRule, read_images
from galaxy_models.model_folder import load_model, read_card
from galaxy_models.output_folder import begin_output
from galaxy_models.scoring import pipeline, score
from galaxy_models.scoring.run_record import count_predictions
from galaxy_models.simulation import CLASSES, Survey, write_survey

NUM_CATALOG = 90
pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    """90 unlabelled galaxies, 8 of them broken in the four ways of real surveys."""
    return write_survey(
        tmp_path_factory.mktemp("survey"),
        NUM_CATALOG,
        image_size=48,
        seed=5,
        broken_fraction=8 / NUM_CATALOG,
        labelled=False,
        catalog_name="catalog.parquet",
    )


def config_for(
    survey: Survey, model_folder: str, output: Path, **changes: Any
) -> ScoreConfig:
    """Scores the survey in floats, which can be compared with Keras'."""
    settings = {"catalog": str(survey.catalog), "engine": "litert-float", **changes}
    return ScoreConfig(model=model_folder, output=str(output), **settings)


def calibrated_predictions(
    model_folder: str, images: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """What the trained network says under its card's temperature."""
    raw = load_model(model_folder).predict_on_batch(images)
    return with_temperature(raw, read_card(model_folder).temperature)


@pytest.fixture(scope="session")
def scored(
    model_folder: str, survey: Survey, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    output = tmp_path_factory.mktemp("predictions") / "out"
    config = config_for(
        survey,
        model_folder,
        output,
        keep=("ra", "dec"),
        progress_interval_s=0.1,
    )
    score(config)
    return output


def test_every_galaxy_comes_out_once(scored: Path, survey: Survey) -> None:
    table = pd.read_parquet(scored)
    catalog = pd.read_parquet(survey.catalog)
    assert len(table) == NUM_CATALOG
    assert set(table["object_id"]) == set(catalog["object_id"])
    assert table["object_id"].dtype == np.int64


def test_broken_images_become_failed_rows_that_say_why(
    scored: Path, survey: Survey
) -> None:
    table = pd.read_parquet(scored).set_index("object_id")
    failed = table[table["status"] == "failed"]
    assert set(failed.index) == set(survey.broken_object_ids)
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
    scored: Path, survey: Survey, model_folder: str
) -> None:
    table = pd.read_parquet(scored).set_index("object_id")
    table = table[table["status"] == "ok"]
    paths = pd.read_parquet(survey.catalog).set_index("object_id")["image"]
    images, _ = read_images(
        paths.loc[table.index].tolist(), str(survey.catalog.parent), DecodeRule(32)
    )
    expected = calibrated_predictions(model_folder, images)
    columns = [f"probability_{name}" for name in sorted(CLASSES)]
    np.testing.assert_allclose(table[columns], expected, atol=1e-4)
    best = np.asarray(sorted(CLASSES))[expected.argmax(axis=1)]
    assert (table["predicted_class"] == best).mean() > 0.98
    np.testing.assert_allclose(table["confidence"], table[columns].max(axis=1))


def test_kept_columns_ride_along_unchanged(scored: Path, survey: Survey) -> None:
    table = pd.read_parquet(scored).set_index("object_id")
    catalog = pd.read_parquet(survey.catalog).set_index("object_id")
    for name in ("ra", "dec"):
        assert (table[name] == catalog.loc[table.index, name]).all()


def test_the_run_record_counts_what_is_there(scored: Path, survey: Survey) -> None:
    record = json.loads((scored / "_run.json").read_text())
    table = pd.read_parquet(scored)
    assert record["num_rows"] == NUM_CATALOG
    num_failed = len(survey.broken_object_ids)
    assert record["num_failed"] == num_failed
    assert record["statuses"] == {"ok": NUM_CATALOG - num_failed, "failed": num_failed}
    reasons = {"not_an_image": 4, "truncated": 2, "missing": 2}
    assert record["failure_reasons"] == reasons
    assert record["classes"] == table["predicted_class"].value_counts().to_dict()
    assert record["num_rows_this_run"] == NUM_CATALOG
    rate = NUM_CATALOG / record["seconds_this_run"]
    assert record["rows_per_s_this_run"] == pytest.approx(rate, rel=0.1)


def test_a_run_with_nothing_left_to_score_says_so_in_its_record(
    survey: Survey,
    model_folder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = config_for(survey, model_folder, tmp_path / "out")
    with monkeypatch.context() as crash:
        crash.delattr(pipeline, "record_run")  # it dies with all rows written
        with pytest.raises(NameError):
            score(config)

    record = score(config)

    assert (record.num_rows, record.num_rows_this_run) == (NUM_CATALOG, 0)
    assert record.rows_per_s_this_run == 0
    assert record.statuses == {"ok": NUM_CATALOG - 8, "failed": 8}


@pytest.mark.parametrize("engine", ["keras", "litert-float"])
def test_both_plans_and_both_float_engines_predict_the_same(
    engine: Any, survey: Survey, model_folder: str, tmp_path: Path
) -> None:
    tables = []
    for plan in ("fused", "two-stage"):
        output = tmp_path / plan
        record = score(
            config_for(
                survey,
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
    paths = pd.read_parquet(survey.catalog).set_index("object_id")["image"]
    good = tables[0][tables[0]["status"] == "ok"]
    images, _ = read_images(
        paths.loc[good.index].tolist(), str(survey.catalog.parent), DecodeRule(32)
    )
    expected = calibrated_predictions(model_folder, images)
    columns = [f"probability_{name}" for name in sorted(CLASSES)]
    np.testing.assert_allclose(good[columns], expected, atol=1e-4)


def test_an_int8_file_of_another_model_is_refused_before_anything_is_written(
    survey: Survey, model_folder: str, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    card = json.loads((folder / "model.json").read_text())
    card["classes"] = card["classes"][:-1]
    (folder / "model.json").write_text(json.dumps(card))
    output = tmp_path / "out"
    config = config_for(survey, str(folder), output, engine="litert-int8")
    with pytest.raises(ModelFolderError, match=r"model_int8\.tflite .* 4 classes"):
        score(config)
    assert not output.exists()


def test_a_csv_catalog_gives_the_same_predictions(
    scored: Path, survey: Survey, model_folder: str, tmp_path: Path
) -> None:
    catalog = survey.catalog.parent / "same.csv"
    pd.read_parquet(survey.catalog).to_csv(catalog, index=False)
    output = tmp_path / "out"
    score(config_for(survey, model_folder, output, catalog=str(catalog)))
    by_csv = pd.read_parquet(output).set_index("object_id").sort_index()
    by_parquet = pd.read_parquet(scored).set_index("object_id").sort_index()
    pd.testing.assert_frame_equal(by_csv, by_parquet[by_csv.columns], atol=1e-5)
    assert not (output / "_staged_catalog").exists()


def test_progress_is_said_in_the_log(
    survey: Survey,
    model_folder: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        score(
            config_for(
                survey,
                model_folder,
                tmp_path / "out",
                progress_interval_s=0.1,
            )
        )
    lines = [record.getMessage() for record in caplog.records]
    assert any("90 of 90 rows (100 %)" in line and "8 failed" in line for line in lines)


def test_a_job_whose_images_mostly_fail_ends_in_an_error_but_keeps_its_rows(
    survey: Survey, model_folder: str, tmp_path: Path
) -> None:
    config = config_for(
        survey,
        model_folder,
        tmp_path / "out",
        max_failed_fraction=0.05,
    )
    with pytest.raises(ScoringError, match=r"8 of 90 images failed.*0\.05"):
        score(config)
    assert len(pd.read_parquet(tmp_path / "out")) == NUM_CATALOG


def test_earlier_predictions_are_replaced_only_when_told(
    survey: Survey, model_folder: str, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    score(config_for(survey, model_folder, output))
    for changes, difference in (
        ({"keep": ("ra",)}, r"--keep was \[\], now \['ra'\]"),
        ({"engine": "keras"}, "--engine was litert-float, now keras"),
    ):
        config = config_for(survey, model_folder, output, **changes)
        with pytest.raises(OutputError, match=f"earlier .*{difference}; .*--overwrite"):
            score(config)
    with pytest.raises(OutputError, match="holds earlier results; .*--overwrite"):
        score(config_for(survey, model_folder, output, resume="never"))
    score(config_for(survey, model_folder, output, keep=("ra",), overwrite=True))
    assert pd.read_parquet(output)["ra"].count() == NUM_CATALOG


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_finished_scoring_that_is_asked_for_again_writes_nothing(
    suffix: str, survey: Survey, model_folder: str, tmp_path: Path
) -> None:
    catalog = survey.catalog.with_name(f"again{suffix}")
    table = pd.read_parquet(survey.catalog)
    if suffix == ".csv":
        table.to_csv(catalog, index=False)
    else:
        table.to_parquet(catalog, index=False)
    output = tmp_path / "out"
    config = config_for(survey, model_folder, output, catalog=str(catalog))
    first = score(config)
    written = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    assert score(config) == first
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == written
    # As if the job had been lost between its record and its end.
    (output / "_unfinished").write_text('{"--tta": "flips"}')
    with pytest.raises(OutputError, match="unfinished results of another job"):
        score(config)
    (output / "_unfinished").unlink()
    (part,) = output.glob("part-*.parquet")
    moved = part.rename(tmp_path / part.name)
    pq.write_table(pq.read_table(moved).slice(1), part)
    with pytest.raises(OutputError, match="holds 89 of the 90 rows"):
        score(config)
    moved.rename(part)
    if suffix == ".csv":
        table.iloc[:-1].to_csv(catalog, index=False)
    else:
        table.iloc[:-1].to_parquet(catalog, index=False)
    with pytest.raises(OutputError, match="its number of rows was 90, now 89"):
        score(config)


def test_chunks_too_large_for_two_stages_are_refused_when_a_job_goes_on(
    ray_here: None, survey: Survey, model_folder: str, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    begin_output(str(output), {pipeline.ROWS_PER_CHUNK: 10**6})
    with pytest.raises(
        OutputError,
        match=r"begun with 1000000 rows a chunk, .*\(at most \d+\); .*--plan fused",
    ):
        score(config_for(survey, model_folder, output, plan="two-stage"))


def test_kept_columns_that_the_predictions_have_are_refused(
    survey: Survey, model_folder: str, tmp_path: Path
) -> None:
    config = config_for(
        survey,
        model_folder,
        tmp_path / "out",
        keep=("object_id",),
    )
    with pytest.raises(CatalogError, match="--keep object_id.*columns of that name"):
        score(config)


def test_a_folder_that_is_no_model_is_refused(survey: Survey, tmp_path: Path) -> None:
    config = config_for(survey, str(survey.catalog.parent), tmp_path / "out")
    with pytest.raises(ModelFolderError, match=r"lacks model\.json and model\.keras"):
        score(config)


def test_more_actors_than_cpus_are_refused(
    survey: Survey, model_folder: str, tmp_path: Path
) -> None:
    config = config_for(
        survey,
        model_folder,
        tmp_path / "out",
        num_workers=999,
    )
    with pytest.raises(ResourceError, match="--num-workers 999"):
        score(config)


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
    scored: Path, survey: Survey, tmp_path: Path
) -> None:
    catalog = open_catalog(
        ScoreConfig(catalog=str(survey.catalog), model="m", output="o"), str(tmp_path)
    )
    table = pq.read_table(scored)
    pq.write_table(table.slice(1), tmp_path / "part.parquet")
    with pytest.raises(ScoringError, match="89 rows for the 90"):
        count_predictions(str(tmp_path), catalog)


def test_rows_written_twice_end_the_job_in_an_error(
    scored: Path, survey: Survey, tmp_path: Path
) -> None:
    catalog = open_catalog(
        ScoreConfig(catalog=str(survey.catalog), model="m", output="o"), str(tmp_path)
    )
    table = pq.read_table(scored)
    pq.write_table(table, tmp_path / "whole.parquet")
    pq.write_table(table.slice(0, 1), tmp_path / "again.parquet")
    with pytest.raises(ScoringError, match="1 id.* more than once"):
        count_predictions(str(tmp_path), catalog)
