"""The same two jobs through a real cluster: started, submitted to, stopped."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from job_lines import STOPPED
from prometheus import samples_of
from ray_cluster import RAY, RayHead, running_head
from score_job import NUM_ROWS, num_kept

from galaxy_models.simulation import Survey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    with running_head(tmp_path_factory.mktemp("ray"), num_cpus=2) as head:
        yield head


def submit(head: RayHead, *command: str, flags: tuple[str, ...] = ()) -> str:
    """Submit a job from the repository's root, wait, and return its log."""
    return ray_job(head, "submit", *flags, "--working-dir", str(ROOT), "--", *command)


def ray_job(head: RayHead, *arguments: str) -> str:
    """Run ``ray job``, and return what it says."""
    finished = subprocess.run(
        [RAY, "job", *arguments],
        env=head.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    log = finished.stdout + finished.stderr
    assert finished.returncode == 0, log
    return log


def test_train_and_score_submitted_to_a_cluster_give_a_table(
    head: RayHead, labelled: Survey, tmp_path: Path
) -> None:
    model, output = str(tmp_path / "model"), str(tmp_path / "predictions")
    log = submit(
        head,
        *("python", "-m", "jobs.train", "--catalog", str(labelled.catalog)),
        *("--network", "lenet5", "--image-size", "32", "--epochs", "1"),
        *("--validation-fraction", "0.2", "--output", model),
    )
    assert "epoch 1/1: loss" in log
    assert f"model folder {model}: validation accuracy" in log
    log = submit(
        head,
        *("python", "-m", "jobs.score", "--catalog", str(labelled.catalog)),
        *("--model", model, "--keep", "ra", "dec", "--output", output),
    )
    assert "120 rows, 1 failed" in log
    table = pd.read_parquet(output)
    assert len(table) == table["object_id"].nunique() == 120
    assert (table["status"] == "failed").sum() == 1
    rows = "ray_galaxy_batch_score_rows_total", ""
    samples_of(output, lambda found: found.get(rows) == 120, head.metrics_addresses())


def test_a_job_that_ray_stops_says_how_to_go_on_and_is_not_begun_anew(
    head: RayHead, many_galaxies: Path, model_folder: str, tmp_path: Path
) -> None:
    output = tmp_path / "predictions"
    submit(
        head,
        *("python", "-m", "jobs.score", "--catalog", str(many_galaxies)),
        *("--model", model_folder, "--output", str(output), "--rows-per-chunk", "100"),
        flags=("--no-wait", "--submission-id", "stopped"),
    )
    deadline_s = time.monotonic() + 300
    while num_kept(output) == 0:
        assert time.monotonic() < deadline_s, ray_job(head, "logs", "stopped")
        time.sleep(0.1)
    ray_job(head, "stop", "stopped")
    assert STOPPED in ray_job(head, "logs", "stopped")
    assert 0 < num_kept(output) < NUM_ROWS
    assert (output / "_unfinished").exists()


def test_a_submitted_job_that_is_told_nonsense_fails(head: RayHead) -> None:
    with pytest.raises(AssertionError, match="no model folder at /nowhere"):
        submit(
            head,
            *("python", "-m", "jobs.score", "--catalog", "/nowhere.csv"),
            *("--model", "/nowhere", "--output", "/nowhere"),
        )
