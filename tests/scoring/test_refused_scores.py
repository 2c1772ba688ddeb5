"""Scorings that are refused, or end in an error; and what is left of them."""

import dataclasses
import json
import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from unlabelled_survey import NUM_UNLABELLED, config_for

from galaxy_models.errors import (
    CatalogError,
    ModelFolderError,
    OutputError,
    ResourceError,
    ScoringError,
)
from galaxy_models.scoring import score
from galaxy_models.scoring.plan import ROWS_PER_CHUNK_KEY
from galaxy_models.scoring.request import OUTPUT
from galaxy_models.simulation import Survey
from galaxy_models.storage.output_folder import begin_output

pytestmark = pytest.mark.slow


def test_an_int8_file_of_another_model_is_refused_before_anything_is_written(
    unlabelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    card = json.loads((folder / "model.json").read_text())
    card["classes"] = card["classes"][:-1]
    (folder / "model.json").write_text(json.dumps(card))
    output = tmp_path / "out"
    config = config_for(unlabelled, str(folder), output, engine="litert-int8")
    with pytest.raises(ModelFolderError, match=r"model_int8\.tflite .* 4 classes"):
        score(config)
    assert not output.exists()


def test_a_job_whose_images_mostly_fail_ends_in_an_error_but_keeps_its_rows(
    unlabelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    config = config_for(
        unlabelled,
        model_folder,
        tmp_path / "out",
        max_failed_fraction=0.05,
    )
    reasons = r"8 of 90 images failed \([^)]*missing [1-9].*0\.05.*--previous"
    for _ in ("at first", "again, finished"):
        with pytest.raises(ScoringError, match=reasons):
            score(config)
    assert len(pd.read_parquet(tmp_path / "out")) == NUM_UNLABELLED


def test_earlier_predictions_are_replaced_only_when_told(
    unlabelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    score(config_for(unlabelled, model_folder, output))
    for changes, difference in (
        ({"keep": ("ra",)}, r"--keep was \[\], now \['ra'\]"),
        ({"engine": "keras"}, "the engine was litert-float, now keras"),
    ):
        config = config_for(unlabelled, model_folder, output, **changes)
        with pytest.raises(OutputError, match=f"earlier .*{difference}; .*--overwrite"):
            score(config)
    with pytest.raises(OutputError, match="holds earlier results; .*--overwrite"):
        score(config_for(unlabelled, model_folder, output, resume="never"))
    score(config_for(unlabelled, model_folder, output, keep=("ra",), overwrite=True))
    assert pd.read_parquet(output)["ra"].count() == NUM_UNLABELLED


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_finished_scoring_that_is_asked_for_again_writes_nothing(
    suffix: str, unlabelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    catalog = unlabelled.catalog.with_name(f"again{suffix}")
    table = pd.read_parquet(unlabelled.catalog)
    if suffix == ".csv":
        table.to_csv(catalog, index=False)
    else:
        table.to_parquet(catalog, index=False)
    output = tmp_path / "out"
    config = config_for(unlabelled, model_folder, output, catalog=str(catalog))
    first = score(config)
    written = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    assert score(config) == first
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == written
    # As if the job had been lost between its record and its end.
    begin_output(str(tmp_path / "other"), OUTPUT, {"--tta": "flips"})
    (tmp_path / "other" / "_unfinished").rename(output / "_unfinished")
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


def test_finished_columns_that_are_not_asked_for_are_another_request(
    unlabelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    config = config_for(unlabelled, model_folder, tmp_path / "out", plan="local")
    score(dataclasses.replace(config, plausible_classes=True))

    with pytest.raises(OutputError, match=r"--plausible-classes was 0\.\d+, now None"):
        score(config)


def test_chunks_too_large_for_two_stages_are_refused_when_a_job_goes_on(
    ray_here: None, unlabelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    begin_output(str(output), OUTPUT, {ROWS_PER_CHUNK_KEY: 10**6})
    with pytest.raises(
        OutputError,
        match=r"begun with 1000000 rows a chunk, .*\(at most \d+\); .*--plan fused",
    ):
        score(config_for(unlabelled, model_folder, output, plan="two-stage"))


def test_kept_columns_that_the_predictions_have_are_refused(
    unlabelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    config = config_for(
        unlabelled,
        model_folder,
        tmp_path / "out",
        keep=("object_id",),
    )
    with pytest.raises(CatalogError, match="--keep object_id.*columns of that name"):
        score(config)


def test_a_folder_that_is_no_model_is_refused(
    unlabelled: Survey, tmp_path: Path
) -> None:
    config = config_for(unlabelled, str(unlabelled.catalog.parent), tmp_path / "out")
    with pytest.raises(ModelFolderError, match=r"lacks model\.json and model\.keras"):
        score(config)


def test_more_actors_than_cpus_are_refused(
    unlabelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    config = config_for(
        unlabelled,
        model_folder,
        tmp_path / "out",
        num_workers=999,
    )
    with pytest.raises(ResourceError, match="--num-workers 999"):
        score(config)
