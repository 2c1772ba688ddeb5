"""Score for a long time from a failing store while everything is killed; then count.

    python tests/benchmarks/soak.py --minutes 20

A real S3 server on loopback holds images, catalog, model and output; between it and the
jobs stands a proxy that answers a share of all requests with 500, 503, a reset
connection, half an answer, or late. ``python -m jobs.score`` runs against it. Every few
seconds, drawn from a seed, an actor, another of Ray's workers or the job itself is
killed with -9; a lost job is started again with the same command. At each such moment
the predictions are read as a user would, and must hold no row twice.

When the catalog is scored, the next one begins, until the time is up; the last job is
then left alone. At the end stands the audit: of every catalog, each id once. The exit
code is 1 if a row is lost or doubled.
"""

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import tyro
from contest import list_images, say, train_model, write_catalog

from galaxy_models import storage

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))  # the tests' own servers

from fault_proxy import FaultProxy
from job_process import JobProcess
from s3_server import S3Server, running_s3_server

NUM_IMAGES = 200
IMAGE_PX = 96
ROWS_PER_FILE = 2_000
ROWS_PER_CHUNK = 100


@dataclass(frozen=True, kw_only=True)
class Soak:
    """Score through faults, and audit."""

    minutes: float = 20.0
    """Time for faults; the last job then ends in peace."""

    num_rows: int = 20_000
    """Galaxies of each catalog."""

    fault_share: float = 0.02
    """Share of requests that the store does not answer well."""

    mean_pause_s: float = 20.0
    """Between two kills, in the mean (s)."""

    seed: int = 0
    """Of the moments and the victims."""


@dataclass
class Tally:
    """What happened."""

    killed: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    looks: int = 0
    rows: int = 0
    lost: int = 0
    doubled: int = 0


def read_ids(output: str) -> list[int]:
    """Ids that a reader finds at this moment."""
    names = [name for name in storage.list_names(output) if name.endswith(".parquet")]
    ids: list[int] = []
    for name in names:
        filesystem, path = storage.filesystem_and_path(storage.join(output, name))
        if name.startswith("_"):
            continue
        table = pq.read_table(path, filesystem=filesystem, columns=["object_id"])
        ids.extend(table["object_id"].to_pylist())
    return ids


def kill_something(job: JobProcess, moments: random.Random, tally: Tally) -> None:
    """Kill an actor, another worker of Ray's, or the job itself."""
    victims = {
        "actor": job.pids("ray::MapWorker") + job.pids("ray::_MapWorker"),
        "worker": job.pids("ray::"),
        "job": [],
    }
    kind = moments.choice([kind for kind in victims if kind == "job" or victims[kind]])
    tally.killed[kind] += 1
    if kind == "job":
        job.kill()
        return
    try:
        os.kill(moments.choice(victims[kind]), signal.SIGKILL)
    except ProcessLookupError:
        return


def score_through_faults(
    command: list[str],
    output: str,
    folder: Path,
    soak: Soak,
    deadline_s: float,
    tally: Tally,
) -> None:
    """Run the same command until it ends well, killing meanwhile."""
    moments = random.Random(f"{soak.seed} {output}")
    while True:
        log = folder / f"{time.monotonic_ns()}.log"
        job = JobProcess("jobs.score", command, log)
        while job.process.poll() is None:
            time.sleep(moments.expovariate(1 / soak.mean_pause_s))
            if job.process.poll() is not None or time.monotonic() > deadline_s:
                job.process.wait()
                break
            kill_something(job, moments, tally)
            ids = read_ids(output)
            tally.looks += 1
            tally.doubled += len(ids) - len(set(ids))
        if job.process.returncode == 0:
            return
        if job.process.returncode == 2:
            raise SystemExit(job.log)
        tally.restarts += 1


def audit(output: str, num_rows: int, tally: Tally) -> None:
    """Count every id of a finished scoring."""
    ids = pd.Series(read_ids(output), dtype="int64")
    tally.rows += len(ids)
    tally.doubled += int(ids.duplicated().sum())
    tally.lost += len(set(range(num_rows)) - set(ids))


def fill_store(server: S3Server, folder: Path, num_rows: int) -> str:
    """Put images, a catalog of them and a model into a new bucket; give its URI."""
    bucket = server.make_bucket()
    list_images(None, folder / "images", NUM_IMAGES, IMAGE_PX)
    model = train_model(folder, "lenet5", 32)
    storage.copy_folder(str(folder / "images"), f"{bucket}/images")
    storage.copy_folder(model, f"{bucket}/model")
    images = sorted((folder / "images").rglob("*.jpg"))
    paths = [str(path.relative_to(folder)) for path in images]
    write_catalog(folder / "catalog.parquet", paths, num_rows)
    data = (folder / "catalog.parquet").read_bytes()
    storage.write_bytes(f"{bucket}/catalog.parquet", data)
    return bucket


def score_command(bucket: str, output: str, endpoint_url: str) -> list[str]:
    """Flags of a scoring whose requests go to an endpoint."""
    return [
        *("--catalog", f"{bucket}/catalog.parquet", "--model", f"{bucket}/model"),
        *("--output", output, "--s3-endpoint-url", endpoint_url, "--plan", "fused"),
        *("--rows-per-file", str(ROWS_PER_FILE)),
        *("--rows-per-chunk", str(ROWS_PER_CHUNK)),
    ]


def main(soak: Soak) -> int:
    """Serve, score, kill, count."""
    tally = Tally()
    with (
        tempfile.TemporaryDirectory() as name,
        running_s3_server(Path(name) / "store") as server,
        FaultProxy(server.endpoint_url, share=soak.fault_share) as proxy,
    ):
        os.environ.update(server.environment)
        folder = Path(name)
        bucket = fill_store(server, folder, soak.num_rows)
        deadline_s = time.monotonic() + 60 * soak.minutes
        num_catalogs = 0
        while num_catalogs == 0 or time.monotonic() < deadline_s:
            output = f"{bucket}/predictions-{num_catalogs}"
            command = score_command(bucket, output, proxy.endpoint_url)
            score_through_faults(command, output, folder, soak, deadline_s, tally)
            audit(output, soak.num_rows, tally)
            num_catalogs += 1
            say(f"{num_catalogs} catalog(s) scored: {tally}")
        say(f"the store: {proxy.num_requests} requests, {proxy.faults} answered badly")
    say(
        f"{num_catalogs} catalogs, {tally.rows} rows; killed {dict(tally.killed)}, "
        f"{tally.restarts} restarts, {tally.looks} looks; lost {tally.lost}, "
        f"doubled {tally.doubled}"
    )
    return int(bool(tally.lost or tally.doubled))


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Soak, description=__doc__)))
