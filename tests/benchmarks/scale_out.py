"""Measure what a second machine adds to jobs.score: 1 and 2 Ray nodes of a core each.

    python tests/benchmarks/scale_out.py

The nodes are real ones (``ray start``, with a token), each held to a core of its own on
this machine; the driver runs on the first one's core. So there is no network between
them, and they share memory and its bandwidth, which machines do not. The rate of each
cluster is a difference quotient of a short and a long run, as in
``score_throughput.py``, so that start-up falls out. It wants the extra ``test``.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import tyro
from contest import (
    check_rows,
    held_to,
    job_command,
    list_images,
    run_command,
    say,
    train_model,
    write_catalog,
)
from short_and_long_runs import Result, measure

from galaxy_models.config import NetworkName
from galaxy_models.models.shipped import model_reference

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))  # the tests' own cluster

from ray_cluster import RayHead, running_head

Cluster = Literal["1 node", "2 nodes"]
NUM_NODES: dict[Cluster, int] = {"1 node": 1, "2 nodes": 2}


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Compare a cluster of one core with a cluster of two."""

    images: str | None = None
    """Folder of JPEG files, searched with all below it; left out: make galaxies up."""

    num_galaxies: int = 300
    """Made-up galaxies; left out with --images."""

    galaxy_size: int = 424
    """Side of made-up galaxies (px); 424 as in Galaxy Zoo 2."""

    model: str | None = None
    """Model folder, or a name such as galaxy-zoo; left out: train one for an epoch on
    made-up galaxies."""

    network: NetworkName = "mobilenet_v1"
    """Architecture; left out with --model."""

    image_size: int = 224
    """Side of the square that the network sees (px); left out with --model."""

    rounds: int = 3
    """Times that everything is measured; the medians count."""

    seconds: float = 60.0
    """What a long run takes beyond a short one, at least (s)."""

    json: str | None = None
    """File for the figures."""


@contextmanager
def cluster(folder: Path, cores: Sequence[int]) -> Iterator[RayHead]:
    """Start a node a core, the head first."""
    with ExitStack() as stack:
        with held_to(cores[0]):
            head = stack.enter_context(running_head(folder, num_cpus=1))
        for core in cores[1:]:
            with held_to(core):
                stack.enter_context(head.running_node(num_cpus=1))
        yield head


@dataclass(frozen=True)
class Scoring:
    """What is scored, and with what."""

    images: list[str]
    model: str
    folder: Path
    cores: list[int]

    def run(self, name: Cluster, num_images: int) -> float:
        """Score galaxies on a new cluster; returns the command's seconds.

        Raises:
            SystemExit: it failed, or did not write a row for every galaxy.
        """
        folder = self.folder / "run"
        folder.mkdir()
        write_catalog(folder / "catalog.parquet", self.images, num_images)
        command = job_command(
            "jobs.score",
            model=self.model,
            catalog=folder / "catalog.parquet",
            image_root="/",
            output=folder / "predictions",
            device="cpu",
        )
        cores = self.cores[: NUM_NODES[name]]
        with cluster(folder, cores) as head, held_to(cores[0]):
            variables = head.environment | {"RAY_ADDRESS": head.address}
            started_s = time.perf_counter()
            run_command(command, folder / "log", variables)
            seconds = time.perf_counter() - started_s
        check_rows(name, folder / "predictions", num_images)
        shutil.rmtree(folder)
        return seconds


def table(results: dict[Cluster, Result]) -> str:
    """Lay the rates out for people."""
    lines = [f"{'cluster':8} {'images/s':>9} {'min–max':>15} {'start-up':>9}"]
    for name, result in results.items():
        rates = result.rates() or [float("nan")]
        limits = f"{min(rates):.1f}–{max(rates):.1f}"
        lines.append(
            f"{name:8} {result.rate():9.1f} {limits:>15} {result.start_up_s():7.1f} s"
        )
    return "\n".join([*lines, f"ratio {ratio(results):.2f}"])


def ratio(results: dict[Cluster, Result]) -> float:
    """How many times as fast two nodes are as one."""
    return results["2 nodes"].rate() / results["1 node"].rate()


def figures(results: dict[Cluster, Result], benchmark: Benchmark) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        "ratio": round(ratio(results), 3),
        "images_per_s": {name: round(r.rate(), 2) for name, r in results.items()},
        "runs": {name: asdict(result) for name, result in results.items()},
        "benchmark": asdict(benchmark),
    }


def main(benchmark: Benchmark) -> None:
    """Measure both clusters, and say what came out.

    Raises:
        SystemExit: there are fewer than two cores.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < max(NUM_NODES.values()):
        raise SystemExit(f"{len(cores)} core(s): two nodes want two")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = list_images(
            benchmark.images,
            folder / "survey",
            benchmark.num_galaxies,
            benchmark.galaxy_size,
        )
        model = benchmark.model or train_model(
            folder, benchmark.network, benchmark.image_size
        )
        scoring = Scoring(images, model_reference(model), folder, cores)
        results = measure(
            scoring.run, list(NUM_NODES), benchmark.rounds, benchmark.seconds
        )
    say(table(results))
    if benchmark.json:
        text = json.dumps(figures(results, benchmark), indent=2)
        Path(benchmark.json).write_text(text + "\n")


if __name__ == "__main__":
    main(tyro.cli(Benchmark, description=__doc__))
