"""Scoring that is killed, again and again, ends with every row once."""

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
from job_lines import STOPPED, assert_own_lines
from score_job import (
    NUM_ROWS,
    ROWS_PER_FAILED,
    ScoreJob,
    assert_whole,
    num_kept,
    read_ids,
    score_flags,
)

from galaxy_models.config import ScoreConfig
from galaxy_models.errors import OutputError
from galaxy_models.scoring import score
from jobs.command_line import parse

pytestmark = [pytest.mark.slow, pytest.mark.faults]


@pytest.mark.parametrize(
    ("plan", "endings"), [("fused", ["kill", "stop"]), ("two-stage", ["kill"])]
)
def test_a_driver_ended_at_random_moments_loses_and_repeats_nothing(
    plan: str,
    endings: list[str],
    many_galaxies: Path,
    model_folder: str,
    tmp_path: Path,
) -> None:
    output = tmp_path / "out"
    moments = random.Random(5)
    kept_before = 0
    for ending in endings:
        job = ScoreJob(many_galaxies, model_folder, output, "--plan", plan)
        job.wait_for_rows()
        time.sleep(moments.uniform(0, 2))
        assert read_ids(output).is_unique
        if ending == "kill":
            job.kill()
        else:
            job.stop()
            summary = assert_own_lines(job.log)
            assert summary["status"] == "stopped"
            assert summary["error"] == STOPPED
        assert f"scoring {NUM_ROWS - kept_before} of {NUM_ROWS} galaxies" in job.log
        assert read_ids(output).is_unique
        assert num_kept(output) > kept_before
        kept_before = num_kept(output)
    finished = {path: path.stat().st_mtime_ns for path in output.glob("*.parquet")}
    job = ScoreJob(many_galaxies, model_folder, output, "--plan", plan)
    assert job.exit_code() == 0, job.log
    assert assert_whole(output)["num_rows_this_run"] == NUM_ROWS - kept_before
    summary = assert_own_lines(job.log)
    assert (summary["job"], summary["status"]) == ("jobs.score", "done")
    assert (summary["rows"], summary["failed"]) == (
        NUM_ROWS,
        NUM_ROWS // ROWS_PER_FAILED,
    )
    assert summary["rows_this_run"] == NUM_ROWS - kept_before
    assert job.num_predicted() <= NUM_ROWS - kept_before
    for path, changed_ns in finished.items():
        assert path.stat().st_mtime_ns == changed_ns


def test_a_killed_actor_costs_no_row(
    many_galaxies: Path, model_folder: str, tmp_path: Path
) -> None:
    job = ScoreJob(many_galaxies, model_folder, tmp_path / "out")
    job.wait_for_rows()
    actors = job.pids("ray::MapWorker") or job.pids("ray::_MapWorker")
    os.kill(actors[0], signal.SIGKILL)
    assert job.exit_code() == 0, job.log
    assert_whole(tmp_path / "out")
    assert_own_lines(job.log)
    assert "Ray: A worker died" in job.log


@pytest.fixture(scope="module")
def killed(
    many_galaxies: Path, model_folder: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The output of a scoring whose driver was killed."""
    output = tmp_path_factory.mktemp("killed") / "out"
    job = ScoreJob(many_galaxies, model_folder, output)
    job.wait_for_rows()
    job.kill()
    assert not (output / "_run.json").exists()
    return output


def refusal(catalog: Path, model: str, output: Path, *flags: str) -> str:
    """What a scoring that may not go on is told."""
    with pytest.raises(OutputError) as caught:
        score(parse(ScoreConfig, score_flags(catalog, model, output, *flags)))
    assert "--overwrite" in str(caught.value)
    return str(caught.value)


def test_a_changed_catalog_is_refused_by_what_changed(
    many_galaxies: Path, model_folder: str, killed: Path, tmp_path: Path
) -> None:
    table = pd.read_parquet(many_galaxies)
    table[1:].to_parquet(tmp_path / "shorter.parquet", index=False)
    told = refusal(tmp_path / "shorter.parquet", model_folder, killed)
    assert f"its number of rows was {NUM_ROWS}, now {NUM_ROWS - 1}" in told
    table[::-1].to_parquet(tmp_path / "turned.parquet", index=False)
    told = refusal(tmp_path / "turned.parquet", model_folder, killed)
    assert "the catalog's content was" in told


def test_nothing_goes_on_from_it_where_that_is_not_wanted(
    many_galaxies: Path, model_folder: str, killed: Path
) -> None:
    told = refusal(many_galaxies, model_folder, killed, "--resume", "never")
    assert "holds unfinished results" in told


def test_another_scoring_may_not_go_on_from_it(
    many_galaxies: Path, model_folder: str, killed: Path, tmp_path: Path
) -> None:
    shutil.copytree(model_folder, tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps(card | {"temperature": 12.5}))
    flags = ["--engine", "keras", "--rows-per-file", "500", "--tta", "flips"]
    told = refusal(many_galaxies, str(tmp_path / "model"), killed, *flags)
    assert f"temperature was {card['temperature']}, now 12.5" in told
    assert "the engine was litert-" in told
    assert "--rows-per-file was 3000, now 500" in told
    assert "--tta was none, now flips" in told


def test_overwrite_begins_anew(
    many_galaxies: Path, model_folder: str, killed: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    shutil.copytree(killed, output)
    job = ScoreJob(many_galaxies, model_folder, output, "--overwrite")
    assert job.exit_code() == 0, job.log
    assert f"scoring {NUM_ROWS} of {NUM_ROWS} galaxies" in job.log
    assert_whole(output)
    again = ScoreJob(many_galaxies, model_folder, output)
    assert again.exit_code() == 0
    assert "is finished already: nothing to do" in again.log
    assert_whole(output)


def test_a_plainly_wrong_input_stops_the_job_early(
    many_galaxies: Path, model_folder: str, tmp_path: Path
) -> None:
    table = pd.read_parquet(many_galaxies)
    table.loc[20:, "image"] = "/nowhere.jpg"
    table.to_parquet(tmp_path / "wrong.parquet", index=False)
    flags = ["--max-failed-fraction", "0.1"]
    job = ScoreJob(tmp_path / "wrong.parquet", model_folder, tmp_path / "out", *flags)
    assert job.exit_code() == 1
    assert "images failed so far, more than --max-failed-fraction 0.1" in job.log
    assert num_kept(tmp_path / "out") < NUM_ROWS
