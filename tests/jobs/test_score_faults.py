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
from catalog_files import repeated
from job_process import JobProcess

from galaxy_models.simulation import Survey

pytestmark = pytest.mark.slow

NUM_ROWS = 30_000
ROWS_PER_FILE = 3_000
ROWS_PER_CHUNK = 100
NUM_ACTORS = 2
MAX_KILLS = 2


@pytest.fixture(scope="module")
def catalog(labelled: Survey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The labelled galaxies (one of them broken) under very many ids."""
    path = tmp_path_factory.mktemp("many") / "catalog.parquet"
    repeated(labelled, NUM_ROWS).to_parquet(path, index=False)
    return path


class ScoreJob(JobProcess):
    """``jobs.score`` with small chunks and files; its log goes beside the output."""

    def __init__(self, catalog: Path, model: str, output: Path, *flags: str) -> None:
        settings = [
            *("--catalog", str(catalog), "--model", model, "--output", str(output)),
            *("--rows-per-file", str(ROWS_PER_FILE), "--progress-interval-s", "1"),
            *("--rows-per-chunk", str(ROWS_PER_CHUNK)),
            *("--num-workers", str(NUM_ACTORS), *flags),
        ]
        log = output.with_name(f"{output.name}-{time.monotonic_ns()}.log")
        super().__init__("jobs.score", settings, log)

    def wait_for_rows(self) -> None:
        self.wait_for("images/s")


def read_ids(output: Path) -> pd.Series:
    """What a reader finds, whatever the job is doing meanwhile."""
    if not any(output.glob("*.parquet")):
        return pd.Series([], dtype="int64")
    return pd.read_parquet(output)["object_id"]


def num_kept(output: Path) -> int:
    """Rows that are written, in files or in chunks."""
    return len(read_ids(output)) + ROWS_PER_CHUNK * len(
        list(output.glob("_chunks/*/*.parquet"))
    )


def assert_whole(output: Path) -> None:
    table = pd.read_parquet(output)
    assert sorted(table["object_id"]) == list(range(NUM_ROWS))
    assert (table["status"] == "failed").sum() == NUM_ROWS // 120
    names = {path.name for path in output.iterdir() if path.suffix != ".parquet"}
    assert names == {"_run.json"}


def test_a_driver_killed_at_random_moments_loses_and_repeats_nothing(
    catalog: Path, model_folder: str, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    moments = random.Random(5)
    kept_before = 0
    for _ in range(MAX_KILLS):
        job = ScoreJob(catalog, model_folder, output)
        job.wait_for_rows()
        time.sleep(moments.uniform(0, 2))
        assert read_ids(output).is_unique
        job.kill()
        assert f"scoring {NUM_ROWS - kept_before} of {NUM_ROWS} galaxies" in job.log
        assert read_ids(output).is_unique
        kept_before = num_kept(output)
    finished = {path: path.stat().st_mtime_ns for path in output.glob("*.parquet")}
    job = ScoreJob(catalog, model_folder, output)
    assert job.exit_code() == 0, job.log
    assert f"scoring {NUM_ROWS - kept_before} of {NUM_ROWS} galaxies" in job.log
    assert_whole(output)
    for path, changed_ns in finished.items():
        assert path.stat().st_mtime_ns == changed_ns


def test_a_killed_actor_costs_no_row(
    catalog: Path, model_folder: str, tmp_path: Path
) -> None:
    job = ScoreJob(catalog, model_folder, tmp_path / "out")
    job.wait_for_rows()
    actors = job.pids("ray::MapWorker") or job.pids("ray::_MapWorker")
    os.kill(actors[0], signal.SIGKILL)
    assert job.exit_code() == 0, job.log
    assert_whole(tmp_path / "out")


@pytest.fixture(scope="module")
def killed(
    catalog: Path, model_folder: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The output of a scoring whose driver was killed."""
    output = tmp_path_factory.mktemp("killed") / "out"
    job = ScoreJob(catalog, model_folder, output)
    job.wait_for_rows()
    job.kill()
    assert not (output / "_run.json").exists()
    return output


def refused(job: JobProcess, message: str) -> bool:
    assert job.exit_code() == 2, job.log
    return message in job.log and "--overwrite" in job.log


def test_a_changed_catalog_is_refused_by_what_changed(
    catalog: Path, model_folder: str, killed: Path, tmp_path: Path
) -> None:
    table = pd.read_parquet(catalog)
    table[1:].to_parquet(tmp_path / "shorter.parquet", index=False)
    job = ScoreJob(tmp_path / "shorter.parquet", model_folder, killed)
    assert refused(job, f"its number of rows was {NUM_ROWS}, now {NUM_ROWS - 1}")
    table[::-1].to_parquet(tmp_path / "turned.parquet", index=False)
    job = ScoreJob(tmp_path / "turned.parquet", model_folder, killed)
    assert refused(job, "the catalog's content was")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--engine", "keras"], "the engine was"),
        (["--rows-per-file", "500"], "--rows-per-file was 3000, now 500"),
        (["--tta", "flips"], "--tta was none, now flips"),
        (["--resume", "never"], "holds unfinished results"),
    ],
)
def test_another_scoring_may_not_go_on_from_it(
    catalog: Path, model_folder: str, killed: Path, flags: list[str], message: str
) -> None:
    assert refused(ScoreJob(catalog, model_folder, killed, *flags), message)


def test_a_recalibrated_model_may_not_go_on_from_it(
    catalog: Path, model_folder: str, killed: Path, tmp_path: Path
) -> None:
    shutil.copytree(model_folder, tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps(card | {"temperature": 12.5}))
    job = ScoreJob(catalog, str(tmp_path / "model"), killed)
    begun = f"the model's temperature was {card['temperature']}, now 12.5"
    assert refused(job, begun)


def test_overwrite_begins_anew(
    catalog: Path, model_folder: str, killed: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    shutil.copytree(killed, output)
    job = ScoreJob(catalog, model_folder, output, "--overwrite")
    assert job.exit_code() == 0, job.log
    assert f"scoring {NUM_ROWS} of {NUM_ROWS} galaxies" in job.log
    assert_whole(output)
    again = ScoreJob(catalog, model_folder, output)
    assert again.exit_code() == 2
    assert "holds earlier results" in again.log
    assert_whole(output)


def test_a_plainly_wrong_input_stops_the_job_early(
    catalog: Path, model_folder: str, tmp_path: Path
) -> None:
    table = pd.read_parquet(catalog)
    table.loc[20:, "image"] = "/nowhere.jpg"
    table.to_parquet(tmp_path / "wrong.parquet", index=False)
    flags = ["--max-failed-fraction", "0.1"]
    job = ScoreJob(tmp_path / "wrong.parquet", model_folder, tmp_path / "out", *flags)
    assert job.exit_code() == 1
    assert "images failed so far, more than --max-failed-fraction 0.1" in job.log
    assert num_kept(tmp_path / "out") < NUM_ROWS
