"""A node that dies in the middle of a scoring costs no row."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ray_cluster import RayHead, RayNode, running_head
from score_job import ScoreJob, assert_whole

pytestmark = [pytest.mark.slow, pytest.mark.faults]


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayHead]:
    folder = tmp_path_factory.mktemp("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))  # what OpenVINO keeps
        with running_head(folder, num_cpus=1) as head:
            yield head


def actors_of(node: RayNode) -> list[int]:
    """The processes on a node that predict."""
    return node.pids("ray::MapWorker") or node.pids("ray::_MapWorker")


@pytest.mark.parametrize(
    ("plan", "engine"), [("fused", "litert-float"), ("two-stage", "openvino-float")]
)
def test_a_node_that_is_killed_costs_no_row(
    plan: str,
    engine: str,
    head: RayHead,
    many_galaxies: Path,
    model_folder: str,
    tmp_path: Path,
) -> None:
    output = tmp_path / "out"
    environment = {**head.environment, "RAY_ADDRESS": head.address}
    with head.running_node(num_cpus=1) as node:
        job = ScoreJob(
            *(many_galaxies, model_folder, output, "--engine", engine),
            plan=plan,
            environment=environment,
        )
        job.wait_for_rows(output)
        assert "2 CPUs, 0 GPUs on 2 host(s)" in job.log
        job.wait_until(lambda: bool(actors_of(node)))
        node.kill()

    assert job.exit_code() == 0, job.log
    assert_whole(output)
