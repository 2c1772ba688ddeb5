"""The same two jobs through a real cluster: started, submitted to, stopped."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from ray_cluster import RAY, TOKEN, RayHead, running_head
from secret_watch import files_with, watched_arguments

from galaxy_models.simulation import Survey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    with running_head(tmp_path_factory.mktemp("ray"), num_cpus=2) as head:
        yield head


def submit(head: RayHead, *command: str) -> str:
    """Submit a job from the repository's root, wait, and return its log."""
    finished = subprocess.run(
        [RAY, "job", "submit", "--working-dir", str(ROOT), "--", *command],
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


def test_a_submitted_job_that_is_told_nonsense_fails(head: RayHead) -> None:
    with pytest.raises(AssertionError, match="no model folder at /nowhere"):
        submit(
            head,
            *("python", "-m", "jobs.score", "--catalog", "/nowhere.csv"),
            *("--model", "/nowhere", "--output", "/nowhere"),
        )


def test_the_token_stands_in_no_file_of_rays_and_in_no_arguments(
    head: RayHead,
) -> None:
    with watched_arguments() as arguments:
        submit(head, "python", "-c", "import ray; ray.init(); ray.cluster_resources()")

    assert any("ray job submit" in line.replace("\0", " ") for line in arguments)
    assert not any(TOKEN in line for line in arguments)
    assert files_with(TOKEN, head.session) == []
