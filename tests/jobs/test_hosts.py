"""Both jobs on a cluster of several hosts, which are lost, cut off and replaced.

The hosts are network namespaces; catalog, images, models and predictions lie in an S3
server on a host of its own. One host has a disk of its own.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from catalog_files import repeated
from job_process import ROOT, TIMEOUT_S, JobProcess
from network_hosts import NetworkHost, NoHostsError, network_hosts
from ray_cluster import RAY, RayHead, RayNode, running_head
from score_job import assert_whole

from galaxy_models.models.folder import load_model, read_card
from galaxy_models.simulation import Survey

pytestmark = [
    pytest.mark.slow,
    pytest.mark.faults,
    pytest.mark.cluster,
    pytest.mark.timeout(900),
]

NUM_ROWS = 4_800
NUM_LABELLED = 960
NUM_EPOCHS = 4
FIGURES = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]
TRAIN_WORKER = "ray::RayTrainWorker"
COPY = """
import sys
from galaxy_models.storage.files import copy_folder
copy_folder(*sys.argv[1:])
"""
SCORE_EACH = """
import json, logging, sys
from galaxy_models.config import ScoreConfig
from galaxy_models.scoring import score
from galaxy_models.cli.command_line import run_job
logging.disable()
for flags in json.loads(sys.argv[1]):
    assert run_job(ScoreConfig, score, None, flags, remedy="") == 2
"""


@dataclass
class HostCluster:
    """A head on a host, a worker with 2 CPUs on each of two others, and a store."""

    head: RayHead
    head_host: NetworkHost
    worker_hosts: list[NetworkHost]
    bucket: str
    store: dict[str, str]
    """Variables that lead to the store."""

    own_disk: Path
    """A folder of which the second worker's host sees another."""

    stack: contextlib.ExitStack
    nodes: dict[str, RayNode] = field(default_factory=dict)

    def start_workers(self) -> None:
        """Start Ray on each host where it does not run."""
        for host in self.worker_hosts:
            node = self.nodes.get(host.address)
            if node is None or node.process.poll() is not None:
                host.kill()
                running = self.head.running_node(num_cpus=2, host=host)
                self.nodes[host.address] = self.stack.enter_context(running)

    def switch_off(self, host: NetworkHost) -> None:
        """Kill a worker's host, and wait until its Ray is seen to be gone."""
        host.kill()
        self.nodes[host.address].process.wait()

    def submit(self, module: str, *flags: str) -> JobProcess:
        """Submit a job from the repository's root, on the head."""
        submit = self.head_host.command(
            *(RAY, "job", "submit", "--working-dir", str(ROOT), "--", "python")
        )
        log = self.head.folder / f"{module}-{time.monotonic_ns()}.log"
        return JobProcess(module, list(flags), log, self.head.environment, submit)

    def score_each(self, jobs: list[dict[str, str]]) -> list[str]:
        """Run ``jobs.score`` on the head for each set of flags; gives their errors."""
        words = [[word for pair in flags.items() for word in pair] for flags in jobs]
        return self._python(SCORE_EACH, json.dumps(words)).stderr.splitlines()

    def copy(self, source: str, target: str) -> None:
        """Copy a folder between the store and this machine."""
        self._python(COPY, source, target)

    def _python(self, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.head_host.command(sys.executable, "-c", code, *arguments),
            env={
                **self.head.environment,
                **self.store,
                "RAY_ADDRESS": self.head.address,
            },
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )

    def train(self, output: str) -> JobProcess:
        """Submit a training of LeNet-5 with two workers."""
        return self.submit(
            *("jobs.train", "--catalog", f"{self.bucket}/sky/labelled.csv"),
            *("--network", "lenet5", "--image-size", "48", "--num-workers", "2"),
            *("--epochs", str(NUM_EPOCHS), "--plateau-patience", "1"),
            *("--validation-fraction", "0.2", "--output", f"{self.bucket}/{output}"),
        )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostCluster]:
    folder = tmp_path_factory.mktemp("hosts")
    own_disk = folder / "own_disk"
    own_disk.mkdir()
    with contextlib.ExitStack() as stack:
        try:
            store_host, head_host, *worker_hosts = stack.enter_context(
                network_hosts(
                    *("store", "head", "worker1", "worker2"),
                    private_folders={"worker2": own_disk},
                )
            )
        except NoHostsError as error:
            pytest.skip(f"no hosts of network namespaces here: {error}")
        store = stack.enter_context(running_store(store_host, folder / "s3"))
        head = stack.enter_context(
            running_head(folder, 0, head_host, store["environment"])
        )
        yield HostCluster(
            head=head,
            head_host=head_host,
            worker_hosts=worker_hosts,
            bucket=store["bucket"],
            store=store["environment"],
            own_disk=own_disk,
            stack=stack.enter_context(contextlib.ExitStack()),
        )


@contextlib.contextmanager
def running_store(host: NetworkHost, folder: Path) -> Iterator[dict[str, Any]]:
    """Start an S3 server on a host; gives its variables and a bucket."""
    script = ROOT / "tests" / "support" / "s3_server.py"
    server = subprocess.Popen(
        host.command(sys.executable, str(script), str(folder), host.address),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())
    finally:
        server.communicate(timeout=TIMEOUT_S)  # its input ends, and so does it


@pytest.fixture(scope="module")
def sky(
    cluster: HostCluster, labelled: Survey, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """URI of the galaxies and their catalogs: CSV to train on, Parquet to score."""
    folder, uri = tmp_path_factory.mktemp("sky"), f"{cluster.bucket}/sky"
    images = labelled.catalog.parent
    shutil.copytree(images, folder, dirs_exist_ok=True)
    for num_rows, name in ((NUM_LABELLED, "labelled.csv"), (NUM_ROWS, "many.parquet")):
        table = repeated(labelled, num_rows)
        table["image"] = table["image"].str.replace(str(images), uri, regex=False)
        write = table.to_csv if name.endswith("csv") else table.to_parquet
        write(folder / name, index=False)
    cluster.copy(str(folder), uri)
    return uri


@pytest.fixture(scope="module")
def model(
    cluster: HostCluster, sky: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A model that two hosts trained undisturbed; on this machine, a copy."""
    cluster.start_workers()
    job = cluster.train("undisturbed")
    job.wait_for("epoch 1/")
    assert [len(h.pids(TRAIN_WORKER)) for h in cluster.worker_hosts] == [1, 1]
    assert job.exit_code() == 0, job.log
    folder = tmp_path_factory.mktemp("models") / "undisturbed"
    cluster.copy(f"{cluster.bucket}/undisturbed", str(folder))
    return folder


def test_two_hosts_train_one_model_with_everything_in_a_store(model: Path) -> None:
    assert read_card(str(model)).training["num_workers"] == 2
    assert len(pd.read_csv(model / "history.csv")) == NUM_EPOCHS


def test_a_host_killed_and_replaced_and_another_cut_off_cost_no_row(
    cluster: HostCluster, model: Path, tmp_path: Path
) -> None:
    cluster.start_workers()
    output = f"{cluster.bucket}/predictions"
    job = cluster.submit(
        *("jobs.score", "--catalog", f"{cluster.bucket}/sky/many.parquet"),
        *("--model", f"{cluster.bucket}/undisturbed", "--output", output),
        *("--rows-per-chunk", "50", "--rows-per-file", "1000"),
        *("--progress-interval-s", "1"),
    )
    job.wait_for("images/s")
    killed, cut_off = cluster.worker_hosts
    cut_off.cut_link()
    cluster.switch_off(killed)
    cluster.head.wait_until_given_up(cut_off)  # meanwhile nobody can work
    cluster.start_workers()
    cut_off.mend_link()

    assert job.exit_code() == 0, job.log
    cluster.copy(output, str(tmp_path / "predictions"))
    assert_whole(tmp_path / "predictions", NUM_ROWS)


def test_training_goes_on_after_a_workers_host_is_lost_and_replaced(
    cluster: HostCluster, model: Path, tmp_path: Path
) -> None:
    cluster.start_workers()
    job = cluster.train("disturbed")
    job.wait_for("epoch 2/")
    cluster.switch_off(cluster.worker_hosts[0])
    cluster.start_workers()

    assert job.exit_code() == 0, job.log
    assert "training resumes after epoch" in job.log
    cluster.copy(f"{cluster.bucket}/disturbed", str(tmp_path / "disturbed"))
    folders = (tmp_path / "disturbed", model)
    found, undisturbed = (pd.read_csv(f / "history.csv")[FIGURES] for f in folders)
    pd.testing.assert_frame_equal(found, undisturbed)
    mine, theirs = (load_model(str(folder)).get_weights() for folder in folders)
    for weight, other in zip(mine, theirs, strict=True):
        assert (weight == other).all()


def test_what_only_some_hosts_see_is_refused_before_any_work(
    cluster: HostCluster, model: Path, labelled: Survey
) -> None:
    cluster.start_workers()
    disk, store = cluster.own_disk, f"{cluster.bucket}/sky"
    shutil.copytree(model, disk / "model", dirs_exist_ok=True)
    shutil.copytree(labelled.catalog.parent, disk, dirs_exist_ok=True)
    repeated(labelled, NUM_LABELLED).to_parquet(disk / "many.parquet", index=False)
    shared = {
        "--catalog": f"{store}/many.parquet",
        "--model": f"{cluster.bucket}/undisturbed",
        "--output": f"{cluster.bucket}/refused",
    }
    own = [
        ("--output", "output", "--output {}/output would be another folder"),
        ("--model", "model", "--model {}/model/model.json cannot be read"),
        ("--catalog", "many.parquet", "--catalog {}/many.parquet cannot be read"),
        # A CSV table is copied to the output, where all see it; not so its images.
        ("--catalog", "catalog.csv", "the image {}/images/"),
    ]

    told = cluster.score_each([shared | {f: f"{disk}/{name}"} for f, name, _ in own])

    assert len(told) == len(own), told
    where = f" on host {cluster.worker_hosts[1].address} of this cluster; put it on s3"
    for line, (_, _, begin) in zip(told, own, strict=True):
        assert line.startswith(f"error: {begin.format(disk)}")
        assert where in line
    assert not (disk / "output").exists()
    assert [path.name for path in disk.iterdir() if path.name.startswith("_")] == []
