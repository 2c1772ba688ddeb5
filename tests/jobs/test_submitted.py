"""The same two jobs through a real cluster: started, submitted to, stopped."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from galaxy_models.simulation import Survey

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 120


@dataclass(frozen=True)
class Cluster:
    """A Ray head of its own, on ports of its own."""

    environment: dict[str, str]

    def submit(self, *command: str) -> str:
        """Submit a job from the repository's root, wait, and return its log."""
        finished = subprocess.run(
            [ray(), "job", "submit", "--working-dir", str(ROOT), "--", *command],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        log = finished.stdout + finished.stderr
        assert finished.returncode == 0, log
        return log


def ray() -> str:
    return str(Path(sys.executable).parent / "ray")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("ray")
    token = folder / "token"
    token.write_text("a-token-for-this-test-only-0123456789")
    token.chmod(0o600)
    dashboard_port = free_port()
    dashboard = f"http://127.0.0.1:{dashboard_port}"
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("RAY_")},
        # As in an activated environment: the jobs' `python` is this one.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_API_SERVER_ADDRESS": dashboard,
        "RAY_raylet_start_wait_time_s": "180",
    }
    command = [
        *(ray(), "start", "--head", "--block", f"--port={free_port()}"),
        *("--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard_port}"),
        f"--dashboard-agent-listen-port={free_port()}",
        f"--ray-client-server-port={free_port()}",
        *(f"--temp-dir=/tmp/ray-{os.getpid()}", "--num-cpus=2"),
        "--disable-usage-stats",
    ]
    with (folder / "head.log").open("w") as log:
        head = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_for(dashboard, head, folder / "head.log")
        yield Cluster(environment)
    finally:
        head.send_signal(signal.SIGTERM)
        head.wait(timeout=90)


def wait_for(url: str, head: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        assert head.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(f"no dashboard at {url}: {log.read_text()}")


def test_train_and_score_submitted_to_a_cluster_give_a_table(
    cluster: Cluster, labelled: Survey, tmp_path: Path
) -> None:
    model, output = str(tmp_path / "model"), str(tmp_path / "predictions")
    log = cluster.submit(
        *("python", "-m", "jobs.train", "--catalog", str(labelled.catalog)),
        *("--network", "lenet5", "--image-size", "32", "--epochs", "1"),
        *("--validation-fraction", "0.2", "--output", model),
    )
    assert "epoch 1/1: loss" in log
    assert f"model folder {model}: validation accuracy" in log
    log = cluster.submit(
        *("python", "-m", "jobs.score", "--catalog", str(labelled.catalog)),
        *("--model", model, "--keep", "ra", "dec", "--output", output),
    )
    assert "120 rows, 1 failed" in log
    table = pd.read_parquet(output)
    assert len(table) == table["object_id"].nunique() == 120
    assert (table["status"] == "failed").sum() == 1


def test_a_submitted_job_that_is_told_nonsense_fails(cluster: Cluster) -> None:
    with pytest.raises(AssertionError, match="no model folder at /nowhere"):
        cluster.submit(
            *("python", "-m", "jobs.score", "--catalog", "/nowhere.csv"),
            *("--model", "/nowhere", "--output", "/nowhere"),
        )
