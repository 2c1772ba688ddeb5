"""The same two jobs through a real cluster: started, submitted to, stopped.

And what it cannot take is refused at once, before anything is read.
"""

import json
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import pytest
import ray
from job_lines import STOPPED
from job_process import ROOT
from package_files import PackageFiles
from prometheus import samples_of
from python_environment import environment_without_package
from ray_cluster import RAY, TOKEN, RayHead, running_head
from score_job import NUM_ROWS, num_kept
from secret_watch import files_with, watched_arguments

from galaxy_models.simulation import Survey

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(900)]

RECORD_VERSIONS = """
import sys
from ray._raylet import GcsClient
address, versions = sys.argv[1:]
GcsClient(address=address).internal_kv_put(
    b"CLUSTER_METADATA", versions.encode(), True, b"cluster")
"""
HOLD_A_CPU = """
import ray, sys
ray.init(address=sys.argv[1], log_to_driver=False)
@ray.remote(num_cpus=1)
class Holder:
    def hold(self): pass
holder = Holder.remote()
ray.get(holder.hold.remote())
print("held", flush=True)
sys.stdin.readline()
"""
JOIN = """
import logging
from galaxy_models.cluster.session import ray_session
logging.basicConfig(level=logging.INFO)
with ray_session():
    pass
"""


@pytest.fixture(scope="module")
def head(
    tmp_path_factory: pytest.TempPathFactory, package: PackageFiles
) -> Iterator[RayHead]:
    """A head on a machine that has the libraries, but not this project."""
    folder = tmp_path_factory.mktemp("ray")
    programs = environment_without_package(folder / "python", package.uv_library)
    with running_head(folder, num_cpus=2, programs=programs) as head:
        yield head


def submit(head: RayHead, *command: str, flags: tuple[str, ...] = ()) -> str:
    """Submit a job from the repository's root, wait, and return its log."""
    return ray_job(head, "submit", *flags, "--working-dir", str(ROOT), "--", *command)


def submit_wheel(head: RayHead, wheel: Path, installer: str, *command: str) -> str:
    """Submit a job that brings the wheel and no sources, and return its log."""
    options = {"pip": "pip_install_options", "uv": "uv_pip_install_options"}[installer]
    installs = {
        "packages": [f"${{RAY_RUNTIME_ENV_CREATE_WORKING_DIR}}/{wheel.name}"],
        options: ["--no-deps", "--no-index"],
    }
    runtime = ("--runtime-env-json", json.dumps({installer: installs}))
    folder = str(wheel.parent)
    return ray_job(
        head, "submit", "--working-dir", folder, *runtime, "--", *command, cwd=folder
    )


def ray_job(head: RayHead, *arguments: str, cwd: str | None = None) -> str:
    """Run ``ray job``, and return what it says."""
    finished = subprocess.run(
        [RAY, "job", *arguments],
        cwd=cwd,
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


def test_a_job_brings_the_wheel_to_machines_without_the_package(
    head: RayHead, package: PackageFiles, labelled: Survey, tmp_path: Path
) -> None:
    asked = ("--catalog", str(labelled.catalog), "--model", "galaxy-zoo")
    for installer, plan in (("pip", "fused"), ("uv", "local")):
        output = ("--output", str(tmp_path / plan), "--plan", plan)
        command = ("galaxy-batch", "score", *asked, *output)
        log = submit_wheel(head, package.wheel, installer, *command)
        assert "120 rows, 1 failed" in log
    fused, local = (pd.read_parquet(tmp_path / plan) for plan in ("fused", "local"))
    pd.testing.assert_frame_equal(fused, local)


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
            *("--model", "/nowhere", "--output", "/nowhere_else"),
        )


def refusal(
    head: RayHead, *flags: str, without: str = "", variables: Mapping[str, str] = {}
) -> str:
    """Have a job refused before it looks for its catalog; gives its line."""
    environment = {**head.environment, "RAY_ADDRESS": head.address, **variables}
    environment.pop(without, None)
    nowhere = ["--catalog", "/nowhere.csv", "--model", "/nowhere", "--output", "/no"]
    refused = subprocess.run(
        [sys.executable, "-m", "jobs.score", *nowhere, *flags],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2, refused.stderr
    # But for the greeting, what the job before holds yet, and a warning of Ray's own.
    others = re.compile(r" Ray at | others hold | gcs_client\.cc:")
    lines = [line for line in refused.stderr.splitlines() if not others.search(line)]
    assert len(lines) == 1 and lines[0].startswith("error: "), refused.stderr
    return lines[0]


def test_gpus_and_workers_that_the_cluster_has_not_are_not_waited_for(
    head: RayHead,
) -> None:
    assert "2 CPUs and no GPU on 1 host(s)" in refusal(head, "--device", "gpu")
    assert "99: the cluster has 2 CPU(s)" in refusal(head, "--num-workers", "99")


def test_a_job_on_a_busy_cluster_says_that_it_waits(head: RayHead) -> None:
    command = [sys.executable, "-c", HOLD_A_CPU, head.address]
    with subprocess.Popen(
        command, env=head.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        log = submit(head, "python", "-c", JOIN)
        other.communicate(b"\n")
    assert "others hold 1 of these 2 CPUs: this job waits" in log


@pytest.mark.parametrize(
    ("without", "variables", "reason"),
    [
        ("RAY_AUTH_MODE", {}, "token is missing or incorrect"),
        ("RAY_AUTH_TOKEN_PATH", {"RAY_AUTH_TOKEN": "w" * 32}, "missing or incorrect"),
        ("", {"RAY_AUTH_TOKEN_PATH": "/nowhere/token"}, "is empty: /nowhere/token)"),
    ],
    ids=["no token", "wrong token", "no such file"],
)
def test_a_job_without_the_clusters_token_is_told_how_to_show_it(
    head: RayHead, without: str, variables: dict[str, str], reason: str
) -> None:
    line = refusal(head, without=without, variables=variables)
    assert f"the cluster at {head.address} wants its token" in line
    assert reason in line
    assert "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH" in line


def test_a_cluster_of_another_version_names_both(head: RayHead) -> None:
    def record(ray_version: str, python_version: str) -> None:
        """Have the head tell what it was started with, as it did itself."""
        told = json.dumps(
            {"ray_version": ray_version, "python_version": python_version}
        )
        command = [sys.executable, "-c", RECORD_VERSIONS, head.address, told]
        subprocess.run(command, env=head.environment, check=True)

    record("2.59.0", "3.12.1")
    try:
        line = refusal(head)
    finally:
        record(ray.__version__, platform.python_version())
    own = f"Ray {ray.__version__} on Python {platform.python_version()}"
    assert f"runs Ray 2.59.0 on Python 3.12.1, this job {own}" in line
    assert "infra/constraints.txt" in line


def test_the_token_stands_in_no_file_of_rays_and_in_no_arguments(
    head: RayHead,
) -> None:
    with watched_arguments() as arguments:
        submit(head, "python", "-c", "import ray; ray.init(); ray.cluster_resources()")

    assert any("ray job submit" in line.replace("\0", " ") for line in arguments)
    assert not any(TOKEN in line for line in arguments)
    assert files_with(TOKEN, head.session) == []
