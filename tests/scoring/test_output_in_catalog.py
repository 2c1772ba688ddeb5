"""An output that lies in the catalog's own folder: no part of the catalog."""

import logging
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from own_files import files_of_others

from galaxy_models.config import ScoreConfig
from galaxy_models.scoring import pipeline, score
from galaxy_models.scoring.request import OUTPUT
from galaxy_models.simulation import Survey

pytestmark = pytest.mark.slow

NUM_GALAXIES = 8


@pytest.fixture(params=["images", "Parquet files"])
def catalog(request: pytest.FixtureRequest, labelled: Survey, tmp_path: Path) -> Path:
    """A folder of images, or one of Parquet files that name them."""
    folder = tmp_path / "catalog"
    folder.mkdir()
    table = pd.read_csv(labelled.catalog).head(NUM_GALAXIES)
    paths = [labelled.catalog.parent / path for path in table["image"]]
    if request.param == "images":
        for path in paths:
            shutil.copy(path, folder)
    else:
        table["image"] = [str(path) for path in paths]
        table.to_parquet(folder / "galaxies.parquet", index=False)
    return folder


def config_of(catalog: Path, **settings: Any) -> ScoreConfig:
    return ScoreConfig(
        catalog=str(catalog),
        model="galaxy-zoo-small",
        output=str(catalog / "predictions"),
        plan="local",
        max_failed_fraction=1.0,
        **settings,
    )


def test_the_same_command_again_finds_its_work_done(
    catalog: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_of(catalog)
    first = score(config)
    with caplog.at_level(logging.INFO):
        again = score(config)

    assert first.num_rows == NUM_GALAXIES
    assert again == first
    line = f"{catalog}: outputs of jobs in it are no part of it: predictions"
    assert caplog.messages.count(line) == 1


def test_a_job_that_was_stopped_resumes(
    catalog: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    config = config_of(catalog)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pipeline, "record_run", stop)
        score(config)
    with caplog.at_level(logging.INFO):
        record = score(config)

    assert (record.num_rows, record.num_rows_this_run) == (NUM_GALAXIES, 0)
    assert "holds an unfinished scoring: it is resumed" in caplog.text


def test_the_output_can_be_overwritten(catalog: Path) -> None:
    score(config_of(catalog))
    assert files_of_others(catalog / "predictions", OUTPUT) == []

    record = score(config_of(catalog, overwrite=True))

    assert record.num_rows_this_run == NUM_GALAXIES


def test_a_model_and_other_jobs_outputs_are_no_part_of_it_either(catalog: Path) -> None:
    score(config_of(catalog))
    for name in ("model/model.json", "model/model.keras", "report/_evaluation.json"):
        (catalog / name).parent.mkdir(exist_ok=True)
        (catalog / name).touch()
    for name in ("model/confusion_matrix.png", "report/class_counts.png"):
        (catalog / name).touch()

    assert score(config_of(catalog, overwrite=True)).num_rows == NUM_GALAXIES
