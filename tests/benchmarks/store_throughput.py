"""Measure images/s from an object store beside the same images on this machine's disk.

    python tests/benchmarks/store_throughput.py

The store is a real S3 server (SeaweedFS, of the extra ``test``) on loopback: it costs
CPU time of the same cores and no waiting for a network, which real stores do. Two
stages are measured, each in rounds in which disk and store take turns; medians count.

    reading   the reading stage of an actor alone, in one process: files to bytes;
              also as it would be with pyarrow, whose images cost two requests
    scoring   python -m jobs.score, whole, on all cores; catalog, model and predictions
              lie on disk in either case; the CPU time of the server, which works on
              the same cores, is taken off, as if it were elsewhere; with
              ``--store-cores 1`` it has a core of its own, and scoring the others

Name several values, ``--num-readers 4 16 64 --files-per-read 1 8 32``, and the reading
stage is measured with each pair; its own are ``galaxy_models.scoring.prefetch``'s.

``--latencies-ms 0 1 20`` puts a proxy between, whose answers come so much later.

The rate of scoring is a difference quotient of a short and a long run, as in
``score_throughput.py``, so that start-up falls out. For figures to quote, name a
trained model with ``--model``, and leave the machine alone meanwhile.
"""

import itertools
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import psutil
import tyro
from contest import (
    Given,
    check_rows,
    held_to,
    job_command,
    list_images,
    num_cpus,
    run_command,
    say,
    train_model,
    write_catalog,
)
from pyarrow import fs
from short_and_long_runs import Result, measure

from galaxy_models import storage
from galaxy_models.errors import ImageDecodeError
from galaxy_models.models.shipped import model_reference
from galaxy_models.scoring import prefetch
from galaxy_models.storage import s3, s3_settings
from galaxy_models.storage.s3_objects import check_size

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))  # the tests' own server

from delay_proxy import delayed
from s3_server import running_s3_server

Place = Literal["disk", "store", "pyarrow"]
Stage = Literal["reading", "scoring"]
PLACES: tuple[Place, ...] = ("disk", "store")
PYARROW: Place = "pyarrow"  # the store, through that library
SERVER_NAME = "weed"
IMAGE_PX = 424  # as in Galaxy Zoo 2
READS_PER_BATCH = 4  # 32 files, as an actor on CPUs asks for


@dataclass(frozen=True, kw_only=True)
class Benchmark(Given):
    """Compare images on disk with images in an object store."""

    stages: tuple[Stage, ...] = ("reading", "scoring")
    """What is measured."""

    num_readers: tuple[int, ...] = (prefetch.NUM_READERS,)
    """Threads that read, each in turn; reading only."""

    files_per_read: tuple[int, ...] = (prefetch.FILES_PER_READ,)
    """Files that a thread reads in turn, each in turn; reading only."""

    latencies_ms: tuple[float, ...] = (0.0,)
    """Delays of the store's answers, each in turn; reading only."""

    num_reads: int = 4000
    """Images of a run of the reading stage: the same files again and again."""

    rounds: int = 3
    """Times that everything is measured; the medians count."""

    seconds: float = 60.0
    """What a long run of scoring takes beyond a short one, at least (s)."""

    plan: Literal["fused", "local"] = "fused"
    """How ``jobs.score`` works; scoring only."""

    store_cores: int = 0
    """Cores that the store has for itself; 0: its CPU time is taken off scoring's."""

    json: str | None = None
    """File for the figures."""


@dataclass(frozen=True)
class Reading:
    """One way to read, and the images/s of its rounds."""

    place: Place
    latency_ms: float
    num_readers: int
    files_per_read: int
    rates: list[float]
    cpu_ms: list[float]
    """CPU time of this process for an image, of each round (ms)."""

    @property
    def rate(self) -> float:
        """Images/s, median."""
        return statistics.median(self.rates)


def put_into_store(images: Sequence[str], bucket: str) -> list[str]:
    """Copy files into a bucket; give their URIs, in the same order."""
    uris = []
    for index, path in enumerate(images):
        uris.append(f"{bucket}/images/{index:06d}.jpg")
        storage.write_bytes(uris[-1], Path(path).read_bytes())
    return uris


def read_by_pyarrow(uri: str, max_bytes: int | None, _: s3_settings.Settings) -> bytes:
    """Read an object through pyarrow: its size, then its bytes."""

    def read_all(store: fs.FileSystem, path: str) -> bytes:
        with store.open_input_file(path) as stream:
            check_size(stream.size(), max_bytes)
            return bytes(stream.read())

    return s3.ask(uri, read_all)


def measure_reading(
    sources: dict[Place, list[str]], benchmark: Benchmark, latency_ms: float
) -> list[Reading]:
    """Time the reading stage with every pair of values, place by place, in rounds."""
    readings: dict[tuple[Place, int, int], Reading] = {}
    ways = list(itertools.product(benchmark.num_readers, benchmark.files_per_read))
    for turn in range(benchmark.rounds):
        for way, place in itertools.product(ways, (*PLACES, PYARROW)):
            empty = Reading(place, latency_ms, *way, rates=[], cpu_ms=[])
            reading = readings.setdefault((place, *way), empty)
            uris = sources["disk" if place == "disk" else "store"]
            with mock.patch.object(
                s3, "read", read_by_pyarrow if place == PYARROW else s3.read
            ):
                rate, cpu_ms = time_reading(uris, *way, benchmark.num_reads)
            reading.rates.append(rate)
            reading.cpu_ms.append(cpu_ms)
            say(
                f"round {turn + 1} reading from {place}, {latency_ms:g} ms: {way[0]} "
                f"readers of {way[1]} files, {rate:.0f} images/s"
            )
    return list(readings.values())


def time_reading(
    sources: Sequence[str], num_readers: int, files_per_read: int, num_reads: int
) -> tuple[float, float]:
    """Read images as an actor does, but for decoding them.

    Args:
        sources: URIs or paths of files.
        num_readers: threads.
        files_per_read: that a thread reads in turn.
        num_reads: images to read, the same again if there are fewer.

    Returns:
        Images/s, and the CPU time of an image (ms).

    Raises:
        SystemExit: one of them could not be read.
    """
    wanted = list(itertools.islice(itertools.cycle(sources), num_reads))
    with mock.patch.multiple(
        prefetch, NUM_READERS=num_readers, FILES_PER_READ=files_per_read
    ):
        started_s, started_cpu_s = time.perf_counter(), time.process_time()
        for files in prefetch.prefetch_files(
            wanted, "/", READS_PER_BATCH, ("/", "s3://")
        ):
            for file in files:
                if isinstance(file, ImageDecodeError):
                    raise SystemExit(f"an image could not be read: {file}")
        seconds = time.perf_counter() - started_s
        cpu_s = time.process_time() - started_cpu_s
    return num_reads / seconds, 1000 * cpu_s / num_reads


def measure_latencies(
    sources: dict[Place, list[str]], benchmark: Benchmark
) -> list[Reading]:
    """Time the reading stage with each delay of the store's answers."""
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    readings = []
    for latency_ms in benchmark.latencies_ms:
        if not latency_ms:
            readings += measure_reading(sources, benchmark, latency_ms)
            continue
        with delayed(endpoint, latency_ms) as url, s3_settings.endpoint(url):
            readings += measure_reading(sources, benchmark, latency_ms)
    return readings


@dataclass(frozen=True)
class Scoring:
    """Where ``jobs.score`` runs, and from where it takes its images."""

    sources: dict[Place, list[str]]
    model: str
    folder: Path
    benchmark: Benchmark

    def run(self, place: Place, num_images: int) -> float:
        """Score galaxies; returns the command's seconds, without a shared server's.

        Raises:
            SystemExit: it failed, or did not write a row for every galaxy.
        """
        folder = self.folder / "run"
        folder.mkdir()
        write_catalog(folder / "catalog.parquet", self.sources[place], num_images)
        command = job_command(
            "jobs.score",
            model=self.model,
            catalog=folder / "catalog.parquet",
            output=folder / "predictions",
            device="cpu",
            plan=self.benchmark.plan,
        )
        started_s, served_s = time.perf_counter(), server_cpu_s()
        run_command(command, folder / "log")
        seconds = time.perf_counter() - started_s
        if not self.benchmark.store_cores:
            seconds -= (server_cpu_s() - served_s) / num_cpus()
        check_rows(place, folder / "predictions", num_images)
        shutil.rmtree(folder)
        return seconds


def server_cpu_s() -> float:
    """CPU time that the store's processes have taken so far (s)."""
    times = [
        child.cpu_times()
        for child in psutil.Process().children(recursive=True)
        if child.name() == SERVER_NAME
    ]
    return float(sum(one.user + one.system for one in times))


def reading_table(readings: Sequence[Reading]) -> str:
    """Lay the rates of reading out for people."""
    lines = [
        f"{'reading':8} {'latency':>8} {'readers':>7} {'files':>6} {'images/s':>9} "
        f"{'min–max':>15} {'CPU ms':>7}"
    ]
    for one in readings:
        limits = f"{min(one.rates):.0f}–{max(one.rates):.0f}"
        lines.append(
            f"{one.place:8} {one.latency_ms:5g} ms {one.num_readers:7} "
            f"{one.files_per_read:6} {one.rate:9.0f} {limits:>15} "
            f"{statistics.median(one.cpu_ms):7.2f}"
        )
    return "\n".join(lines)


def scoring_table(results: dict[Place, Result]) -> str:
    """Lay the rates of scoring out for people."""
    lines = [f"{'scoring':8} {'images/s':>9} {'min–max':>15} {'start-up':>9}"]
    for place, result in results.items():
        rates = result.rates() or [float("nan")]
        limits = f"{min(rates):.1f}–{max(rates):.1f}"
        lines.append(
            f"{place:8} {result.rate():9.1f} {limits:>15} {result.start_up_s():7.1f} s"
        )
    return "\n".join(lines)


def measure_stages(
    sources: dict[Place, list[str]], benchmark: Benchmark, folder: Path
) -> dict[str, Any]:
    """Measure what was asked for, say it, and give it for programs."""
    figures: dict[str, Any] = {}
    if "reading" in benchmark.stages:
        readings = measure_latencies(sources, benchmark)
        say(reading_table(readings))
        figures["reading"] = [
            {**asdict(one), "images_per_s": round(one.rate, 1)} for one in readings
        ]
    if "scoring" in benchmark.stages:
        model = benchmark.model or train_model(
            folder, benchmark.network, benchmark.image_size
        )
        scoring = Scoring(sources, model_reference(model), folder, benchmark)
        results = measure(
            scoring.run, list(PLACES), benchmark.rounds, benchmark.seconds
        )
        say(scoring_table(results))
        figures["scoring"] = {
            place: {**asdict(result), "images_per_s": round(result.rate(), 2)}
            for place, result in results.items()
        }
    return figures


def main(benchmark: Benchmark) -> None:
    """Serve, measure, and say what came out."""
    cores = sorted(os.sched_getaffinity(0))
    mine = cores[: len(cores) - benchmark.store_cores]
    if not mine:
        raise SystemExit(f"--store-cores takes all of {len(cores)}: none would score")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = list_images(
            benchmark.images, folder / "survey", benchmark.num_galaxies, IMAGE_PX
        )
        with (
            held_to(*cores[-benchmark.store_cores :]),  # with 0 all of them
            running_s3_server(folder / "store") as server,
            held_to(*mine),
        ):
            os.environ.update(server.environment)
            uris = put_into_store(images, server.make_bucket())
            say(f"{len(images)} images, {num_cpus()} core(s)")
            figures = measure_stages({"disk": images, "store": uris}, benchmark, folder)
    figures |= {"num_cpus": num_cpus(), "benchmark": asdict(benchmark)}
    if benchmark.json:
        Path(benchmark.json).write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Benchmark, description=__doc__))
