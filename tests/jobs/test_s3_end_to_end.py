"""Both jobs with everything in an object store, as people run them."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from fault_proxy import FaultProxy
from pyarrow import fs
from s3_server import S3Server
from secret_watch import files_with, watched_arguments

from galaxy_models.simulation import write_survey

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
NUM_GALAXIES = 100
NUM_BROKEN = 2
IMPATIENT = str(ROOT / "tests" / "support" / "impatient")
DEAD_ENDPOINT = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Sky:
    """A survey and its trained model in a bucket."""

    bucket: str

    @property
    def catalog(self) -> str:
        """The labelled table, CSV, so that it is staged."""
        return f"{self.bucket}/sky/catalog.csv"

    @property
    def model(self) -> str:
        """The model folder."""
        return f"{self.bucket}/model"

    def score(self, output: str, plan: str = "fused") -> list[str]:
        """The command's arguments."""
        return [
            *("jobs.score", "--catalog", self.catalog, "--model", self.model),
            *("--keep", "ra", "--output", f"{self.bucket}/{output}"),
            *("--plan", plan),
        ]


def run_job(
    server: S3Server, arguments: list[str], **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env={**os.environ, **server.environment, **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def sky(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Sky:
    """100 galaxies, two of them broken, in a bucket, and LeNet-5 trained on them."""
    survey = write_survey(
        tmp_path_factory.mktemp("sky"),
        NUM_GALAXIES,
        image_size=48,
        seed=3,
        broken_fraction=NUM_BROKEN / NUM_GALAXIES,
    )
    sky = Sky(s3_server.make_bucket())
    fs.copy_files(
        str(survey.catalog.parent),
        f"{sky.bucket.removeprefix('s3://')}/sky",
        destination_filesystem=s3_server.filesystem(),
    )
    done = run_job(
        s3_server,
        [
            *("jobs.train", "--catalog", sky.catalog, "--network", "lenet5"),
            *("--image-size", "32", "--epochs", "2", "--num-workers", "1"),
            *("--validation-fraction", "0.2", "--output", sky.model),
            *("--s3-endpoint-url", s3_server.endpoint_url),
        ],
        AWS_ENDPOINT_URL=DEAD_ENDPOINT,
    )
    assert done.returncode == 0, done.stderr
    assert s3_server.secret_key not in done.stdout + done.stderr
    return sky


@pytest.fixture
def ray_folder() -> Iterator[Path]:
    """A folder for Ray's session: a short path, for its sockets."""
    with tempfile.TemporaryDirectory(
        prefix="ray-", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def interrupted(s3_server: S3Server, sky: Sky) -> subprocess.CompletedProcess[str]:
    """A scoring whose store stopped giving images when it had begun."""
    with FaultProxy(
        s3_server.endpoint_url, share=0, faults=("503",), only="/images/"
    ) as proxy:
        environment = {"AWS_ENDPOINT_URL": proxy.endpoint_url, "PYTHONPATH": IMPATIENT}
        job = subprocess.Popen(
            [sys.executable, "-m", *sky.score("predictions")],
            env={**os.environ, **s3_server.environment, **environment},
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert job.stderr is not None
        log = []
        for line in job.stderr:
            log.append(line)
            if f"scoring {NUM_GALAXIES} of {NUM_GALAXIES} galaxies" in line:
                proxy.share = 1
        job.wait()
    return subprocess.CompletedProcess([], job.returncode, stderr="".join(log))


def test_images_that_a_store_stops_giving_fail_the_job_in_a_line(
    interrupted: subprocess.CompletedProcess[str],
) -> None:
    last_line = interrupted.stderr.splitlines()[-1]
    assert interrupted.returncode == 1, interrupted.stderr
    assert last_line.startswith("error: ")
    assert "run the same command again" in last_line


def test_a_store_that_errs_costs_no_row_and_nothing_gives_the_secret_away(
    s3_server: S3Server,
    sky: Sky,
    interrupted: subprocess.CompletedProcess[str],
    ray_folder: Path,
    tmp_path: Path,
) -> None:
    with (
        FaultProxy(s3_server.endpoint_url, share=0.1, slow_s=2) as proxy,
        watched_arguments() as arguments,
    ):
        done = run_job(
            s3_server,
            sky.score("predictions"),
            AWS_ENDPOINT_URL=proxy.endpoint_url,
            RAY_TMPDIR=str(ray_folder),
            HOME=str(tmp_path),
        )

    assert done.returncode == 0, done.stderr
    assert f"{NUM_GALAXIES} rows, {NUM_BROKEN} failed" in done.stderr
    assert proxy.faults.total() > 10
    assert any("jobs.score" in line for line in arguments)
    assert any(line.startswith("ray::") for line in arguments)
    token = tmp_path / ".ray" / "auth_token"
    assert token.stat().st_mode & 0o777 == 0o600
    for secret in (s3_server.secret_key, token.read_text()):
        assert not any(secret in line for line in arguments)
        assert files_with(secret, ray_folder) == []
    filesystem = s3_server.filesystem()
    everything = fs.FileSelector(sky.bucket.removeprefix("s3://"), recursive=True)
    for info in filesystem.get_file_info(everything):
        if info.is_file:
            content = filesystem.open_input_stream(info.path).read()
            assert s3_server.secret_key.encode() not in content, info.path
    assert s3_server.secret_key not in done.stdout + done.stderr
    assert_predictions_are_read_by_pandas(s3_server, f"{sky.bucket}/predictions")


def test_without_ray_the_store_serves_as_well(s3_server: S3Server, sky: Sky) -> None:
    done = run_job(s3_server, sky.score("without_ray", plan="local"))

    assert done.returncode == 0, done.stderr
    assert f"{NUM_GALAXIES} rows, {NUM_BROKEN} failed" in done.stderr
    assert_predictions_are_read_by_pandas(s3_server, f"{sky.bucket}/without_ray")


def assert_predictions_are_read_by_pandas(server: S3Server, output: str) -> None:
    """Read them in the ways that README shows; every galaxy is there once."""
    options = {
        "key": server.access_key,
        "secret": server.secret_key,
        "client_kwargs": {"endpoint_url": server.endpoint_url},
    }
    table = pd.read_parquet(output, storage_options=options)
    assert len(table) == table["object_id"].nunique() == NUM_GALAXIES
    assert (table["status"] == "failed").sum() == NUM_BROKEN
    filesystem = server.filesystem()
    path = output.removeprefix("s3://")
    pd.testing.assert_frame_equal(
        table, pd.read_parquet(path, filesystem=filesystem), check_dtype=False
    )
    assert pq.read_table(path, filesystem=filesystem).num_rows == NUM_GALAXIES
    everything = filesystem.get_file_info(fs.FileSelector(path, recursive=True))
    objects = [
        info.path.removeprefix(f"{path}/") for info in everything if info.is_file
    ]
    with filesystem.open_input_file(f"{path}/_run.json") as stream:
        record = stream.read().decode()
    assert json.loads(record)["num_failed"] == NUM_BROKEN
    assert [name for name in objects if name.startswith("_")] == ["_run.json"]
