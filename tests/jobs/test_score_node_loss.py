"""A node that dies in the middle of a scoring costs no row."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ray_cluster import RayHead, running_head
from score_job import NUM_ROWS, ScoreJob, assert_whole, num_kept

pytestmark = [pytest.mark.slow, pytest.mark.faults]

PATIENCE_S = 60


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    with running_head(tmp_path_factory.mktemp("ray"), num_cpus=1) as head:
        yield head


@pytest.mark.parametrize("plan", ["fused", "two-stage"])
def test_a_node_that_is_killed_costs_no_row(
    plan: str, head: RayHead, many_galaxies: Path, model_folder: str, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    environment = {**head.environment, "RAY_ADDRESS": head.address}
    with head.running_node(num_cpus=1) as node:
        job = ScoreJob(
            *(many_galaxies, model_folder, output, "--plan", plan),
            environment=environment,
        )
        job.wait_for_rows()
        assert "2 CPUs, 0 GPUs on 2 host(s)" in job.log
        deadline_s = time.monotonic() + PATIENCE_S
        while not node.pids("ray::MapWorker") and not node.pids("ray::_MapWorker"):
            assert time.monotonic() < deadline_s, job.log
            time.sleep(0.1)
        node.kill()
    assert num_kept(output) < NUM_ROWS / 2, "it was killed too late to prove anything"

    assert job.exit_code() == 0, job.log
    assert_whole(output)
