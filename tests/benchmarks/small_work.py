"""Measure small work from the command to its exit: seconds, CPU seconds, processes.

    .venv/bin/python tests/benchmarks/small_work.py --json small.json

    help     jobs.score --help
    local    jobs.score of 256 galaxies, the model that comes with the package, no Ray
    fused    the same in embedded Ray
    train    jobs.train of LeNet-5 on 120 galaxies, two epochs, no Ray
    ray      the same training in embedded Ray

CPU seconds are those of all processes below the command, looked at ten times a second:
they hardly depend on what else the machine does, as seconds do.
"""

import json
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import tyro
from contest import environment, list_images, say, write_catalog

from galaxy_models.simulation import write_survey

NUM_SCORED = 256
NUM_LABELLED = 120
CUTOUT_PX = 424
LOOK_S = 0.1

Process = tuple[int, float]
"""Its id and when it began: ids are used again."""


@dataclass(frozen=True)
class SmallWork:
    """What is measured, and how often."""

    only: tuple[str, ...] = ("help", "local", "fused", "train", "ray")
    """Which commands."""

    rounds: int = 3
    """How often; figures are medians."""

    json: str | None = None
    """File for the figures."""


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    wall_s: float
    cpu_s: float
    """Of all its processes."""

    num_processes: int


def cost_of(command: list[str]) -> Cost:
    """Run a command to its end and watch every process below it.

    Raises:
        SystemExit: it failed.
    """
    cpu_s: dict[Process, float] = {}
    started_s = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        job = psutil.Popen(command, env=environment(), stdout=said, stderr=said)
        while job.poll() is None:
            _look(job, cpu_s)
            with suppress(psutil.TimeoutExpired):
                job.wait(LOOK_S)
        wall_s = time.perf_counter() - started_s
        if job.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)}:\n{said.read().decode()}")
    return Cost(wall_s, sum(cpu_s.values()), len(cpu_s))


def _look(job: psutil.Popen, cpu_s: dict[Process, float]) -> None:
    """Note what each process has used by now."""
    with suppress(psutil.NoSuchProcess):
        for process in (psutil.Process(job.pid), *job.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                key = process.pid, process.create_time()
                cpu_s[key] = times.user + times.system


def commands(folder: Path) -> dict[str, list[str]]:
    """The commands, with all that they read; each writes a folder of its name."""
    images = list_images(None, folder / "sky", NUM_SCORED, CUTOUT_PX)
    write_catalog(folder / "catalog.parquet", images, NUM_SCORED)
    labelled = write_survey(folder / "labelled", NUM_LABELLED, image_size=48)
    score = ["jobs.score", "--catalog", str(folder / "catalog.parquet")]
    score += ["--model", "galaxy-zoo", "--device", "cpu", "--plan"]
    train = ["jobs.train", "--catalog", str(labelled.catalog), "--network", "lenet5"]
    train += ["--image-size", "32", "--epochs", "2", "--plan"]
    return {
        "help": ["jobs.score", "--help"],
        "local": [*score, "local", "--output", str(folder / "local")],
        "fused": [*score, "fused", "--output", str(folder / "fused")],
        "train": [*train, "local", "--output", str(folder / "train")],
        "ray": [*train, "ray", "--output", str(folder / "ray")],
    }


def medians(costs: list[Cost]) -> Cost:
    """Take the median of each figure."""
    rounds = [asdict(cost) for cost in costs]
    return Cost(
        **{name: statistics.median(c[name] for c in rounds) for name in rounds[0]}
    )


def main(work: SmallWork) -> None:
    """Run every command in every round, and lay the figures out."""
    costs: dict[str, list[Cost]] = {name: [] for name in work.only}
    for _ in range(work.rounds):
        with tempfile.TemporaryDirectory() as name:
            module_flags = commands(Path(name))
            for command in work.only:
                costs[command].append(
                    cost_of([sys.executable, "-m", *module_flags[command]])
                )
    figures = {name: medians(rounds) for name, rounds in costs.items()}
    say(f"{'command':8} {'s':>6} {'CPU s':>6} {'processes':>9}")
    for name, cost in figures.items():
        say(f"{name:8} {cost.wall_s:6.1f} {cost.cpu_s:6.1f} {cost.num_processes:9.0f}")
    if work.json:
        content = {name: asdict(cost) for name, cost in figures.items()}
        Path(work.json).write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(SmallWork, description=__doc__))
