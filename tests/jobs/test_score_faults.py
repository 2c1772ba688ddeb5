"""Scoring that is stopped and killed, again and again, ends with every row once.

One scoring is stopped, then its driver is killed, then an actor of the driver that
finishes it; each test looks at one moment of that.
"""

import json
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from job_lines import STOPPED, assert_own_lines
from score_job import (
    NUM_ROWS,
    ROWS_PER_CHUNK,
    ROWS_PER_FAILED,
    ROWS_PER_FILE,
    ScoreJob,
    assert_whole,
    num_kept,
    read_ids,
    score_flags,
)

from galaxy_models.chunks.run_file import ENGINE_KEY
from galaxy_models.cli.command_line import parse
from galaxy_models.config import ScoreConfig
from galaxy_models.errors import OutputError, ScoringError
from galaxy_models.scoring import score
from galaxy_models.scoring.request import OUTPUT
from galaxy_models.storage.output_folder import read_marker

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Ended:
    """A job that did not finish its scoring, and what it left."""

    output: Path
    """As it was then: a copy."""

    kept: int
    """Rows that are written."""

    log: str


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the one scoring goes."""
    return tmp_path_factory.mktemp("scoring") / "out"


@pytest.fixture(scope="module")
def stopped(many_galaxies: Path, model_folder: str, output: Path) -> Ended:
    """The scoring after SIGTERM."""
    job = ScoreJob(many_galaxies, model_folder, output)
    job.wait_for_rows(output)
    job.stop()
    return left_by(job, output, "stopped")


@pytest.fixture(scope="module")
def killed(
    many_galaxies: Path, model_folder: str, output: Path, stopped: Ended
) -> Ended:
    """The scoring after its second driver was killed, with a file finished."""
    job = ScoreJob(many_galaxies, model_folder, output)
    job.wait_for_rows(output, max(ROWS_PER_FILE, stopped.kept) + ROWS_PER_CHUNK)
    job.kill()
    return left_by(job, output, "killed")


def left_by(job: ScoreJob, output: Path, name: str) -> Ended:
    copy = output.with_name(name)
    shutil.copytree(output, copy)
    return Ended(copy, num_kept(output), job.log)


def test_a_stopped_scoring_says_how_to_resume_and_leaves_rows_once(
    stopped: Ended,
) -> None:
    summary = assert_own_lines(stopped.log)
    assert (summary["status"], summary["error"]) == ("stopped", STOPPED)
    assert f"scoring {NUM_ROWS} of {NUM_ROWS} galaxies" in stopped.log
    assert stopped.kept > 0
    assert read_ids(stopped.output).is_unique
    assert not (stopped.output / "_run.json").exists()


def test_a_killed_driver_kept_what_was_there_and_added_to_it(
    stopped: Ended, killed: Ended
) -> None:
    to_do = NUM_ROWS - stopped.kept
    assert f"scoring {to_do} of {NUM_ROWS} galaxies" in killed.log
    assert killed.kept > stopped.kept
    assert read_ids(killed.output).is_unique
    assert not (killed.output / "_run.json").exists()


def test_the_driver_that_finishes_it_loses_an_actor_and_no_row(
    many_galaxies: Path, model_folder: str, output: Path, killed: Ended
) -> None:
    finished = {path: path.stat().st_mtime_ns for path in output.glob("*.parquet")}
    job = ScoreJob(many_galaxies, model_folder, output)
    job.wait_for_rows(output, killed.kept + ROWS_PER_CHUNK)
    os.kill(job.actor_pids()[0], signal.SIGKILL)

    assert job.exit_code() == 0, job.log

    assert "Ray: A worker died" in job.log
    to_do = NUM_ROWS - killed.kept
    assert f"scoring {to_do} of {NUM_ROWS} galaxies" in job.log
    assert assert_whole(output)["num_rows_this_run"] == to_do
    summary = assert_own_lines(job.log)
    assert (summary["job"], summary["status"]) == ("jobs.score", "done")
    assert summary["rows"] == NUM_ROWS
    assert summary["failed"] == NUM_ROWS // ROWS_PER_FAILED
    assert summary["rows_this_run"] == to_do
    for path, changed_ns in finished.items():
        assert path.stat().st_mtime_ns == changed_ns


@pytest.mark.faults
def test_a_driver_killed_in_two_stages_loses_and_repeats_nothing(
    many_galaxies: Path, model_folder: str, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    job = ScoreJob(many_galaxies, model_folder, output, plan="two-stage")
    job.wait_for_rows(output)
    job.kill()
    to_do = NUM_ROWS - num_kept(output)
    assert read_ids(output).is_unique

    job = ScoreJob(many_galaxies, model_folder, output, plan="two-stage")

    assert job.exit_code() == 0, job.log
    assert f"scoring {to_do} of {NUM_ROWS} galaxies" in job.log
    assert assert_whole(output)["num_rows_this_run"] == to_do
    assert job.num_done() <= NUM_ROWS  # what was kept is not predicted again


def refusal(catalog: Path, model: str, output: Path, *flags: str) -> str:
    """What a scoring that may not resume is told."""
    with pytest.raises(OutputError) as caught:
        score(parse(ScoreConfig, score_flags(catalog, model, output, *flags)))
    assert "--overwrite" in str(caught.value)
    return str(caught.value)


def test_a_changed_catalog_is_refused_by_what_changed(
    many_galaxies: Path, model_folder: str, killed: Ended, tmp_path: Path
) -> None:
    table = pd.read_parquet(many_galaxies)
    table[1:].to_parquet(tmp_path / "shorter.parquet", index=False)
    told = refusal(tmp_path / "shorter.parquet", model_folder, killed.output)
    assert f"its number of rows was {NUM_ROWS}, now {NUM_ROWS - 1}" in told
    table[::-1].to_parquet(tmp_path / "turned.parquet", index=False)
    told = refusal(tmp_path / "turned.parquet", model_folder, killed.output)
    assert "the catalog's content was" in told


def test_nothing_resumes_from_it_where_that_is_not_wanted(
    many_galaxies: Path, model_folder: str, killed: Ended
) -> None:
    told = refusal(many_galaxies, model_folder, killed.output, "--resume", "never")
    assert "holds unfinished results" in told


def test_another_scoring_may_not_resume_from_it(
    many_galaxies: Path, model_folder: str, killed: Ended, tmp_path: Path
) -> None:
    shutil.copytree(model_folder, tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps(card | {"temperature": 12.5}))
    marker = read_marker(str(killed.output), OUTPUT)
    assert marker is not None
    before = marker.resume_key[ENGINE_KEY]
    (now,) = {"litert-int8", "litert-float"} - {before}
    flags = ["--engine", now, "--rows-per-file", "500", "--tta", "flips"]
    told = refusal(many_galaxies, str(tmp_path / "model"), killed.output, *flags)
    assert f"temperature was {card['temperature']}, now 12.5" in told
    assert f"the engine was {before}, now {now}" in told
    assert "--rows-per-file was 3000, now 500" in told
    assert "--tta was none, now flips" in told


def test_overwrite_begins_anew(
    many_galaxies: Path,
    model_folder: str,
    killed: Ended,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    output = tmp_path / "out"
    shutil.copytree(killed.output, output)
    flags = score_flags(many_galaxies, model_folder, output)
    caplog.set_level("INFO")

    score(parse(ScoreConfig, [*flags, "--overwrite"]))

    assert f"scoring {NUM_ROWS} of {NUM_ROWS} galaxies" in caplog.text
    assert_whole(output)
    score(parse(ScoreConfig, flags))
    assert "is finished already: nothing to do" in caplog.text
    assert_whole(output)


def test_a_plainly_wrong_input_stops_the_job_early(
    many_galaxies: Path, model_folder: str, tmp_path: Path
) -> None:
    table = pd.read_parquet(many_galaxies)
    table.loc[20:, "image"] = "/nowhere.jpg"
    table.to_parquet(tmp_path / "wrong.parquet", index=False)
    flags = score_flags(tmp_path / "wrong.parquet", model_folder, tmp_path / "out")

    with pytest.raises(ScoringError, match=r"failed so far, .*-failed-fraction 0\.1"):
        score(parse(ScoreConfig, [*flags, "--max-failed-fraction", "0.1"]))

    assert not (tmp_path / "out" / "_run.json").exists()
