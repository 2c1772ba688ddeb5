"""Measure how jobs.score's speed and memory go with the length of the catalog.

    python tests/benchmarks/score_scale.py

Catalogs of 10^4, 10^5 and 10^6 rows, whose rows take the same few thousand small images
in turn, are scored by ``python -m jobs.score`` in embedded Ray: what is small here is
the galaxy, not the bookkeeping. Each second the memory of the command and of all
processes below it is read. What the columns say, each at its highest (MB = 10^6 bytes):

    driver         resident memory (RSS) of the command itself
    worker         RSS of the largest Ray worker (an actor, a read or a write)
    workers        all workers together (PSS: a shared page counts once)
    all            the same, with the driver and Ray's own processes
    object store   pages of Ray's shared memory that were ever written; they are a part
                   of the memory of those that mapped them

A short run comes first. It gives the time from the command to the first Parquet file
that can be read, and what start-up costs: rows/s are those beyond the short run, over
the seconds beyond it. Beside them stand the rows/s with start-up.
"""

import json
import math
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import tyro
from contest import (
    LOG_TAIL_CHARACTERS,
    ROOT,
    environment,
    job_command,
    list_images,
    num_cpus,
    say,
    train_model,
    write_catalog,
)

from galaxy_models.config import NetworkName
from galaxy_models.models.shipped import model_reference

POLL_S = 0.1
SAMPLE_S = 1.0  # between two readings of memory, which cost the machine a little
MB = 1e6


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Score catalogs of several lengths."""

    rows: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    """Lengths of the catalogs."""

    short_rows: int = 2_000
    """Length of the short run's catalog."""

    short_rows_per_file: int = 200
    """Galaxies in a Parquet file of the short run."""

    images: str | None = None
    """Folder of JPEG files, searched with all below it; left out: make galaxies up."""

    num_galaxies: int = 2_000
    """Made-up galaxies; left out with --images."""

    model: str | None = None
    """Model folder, or a name such as galaxy-zoo; left out: train one for an epoch on
    made-up galaxies."""

    network: NetworkName = "mobilenet_v2_paper"
    """Architecture; left out with --model."""

    alpha: float = 0.35
    """Its width multiplier, if it has one."""

    image_size: int = 64
    """Side of the square that the network sees, and of made-up galaxies (px)."""

    engine: str = "litert-int8"
    """What predicts; see jobs.score."""

    json: str | None = None
    """File for the figures."""


@dataclass(frozen=True)
class Run:
    """What a scoring command did."""

    rows: int
    seconds: float
    """Command to exit (s)."""

    first_row_s: float
    """Command to the first finished Parquet file (s)."""

    peak_bytes: dict[str, int]
    """Highest memory: driver, worker, workers, all, object_store."""


def score(command: list[str], num_rows: int, output: Path, log: Path) -> Run:
    """Run jobs.score and watch it.

    Args:
        command: the whole command.
        num_rows: of its catalog.
        output: folder that it writes.
        log: file for what it says.

    Raises:
        SystemExit: it failed; with the end of what it said.
    """
    peak: Counter[str] = Counter()
    first_row_s, next_sample_s = float("nan"), 0.0
    started_s = time.perf_counter()
    with log.open("w") as file:
        job = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=file, stderr=file
        )
        while job.poll() is None:
            elapsed_s = time.perf_counter() - started_s
            if elapsed_s >= next_sample_s:
                peak |= read_memory(psutil.Process(job.pid))  # the larger of each
                next_sample_s = elapsed_s + SAMPLE_S
            if math.isnan(first_row_s) and has_rows(output):
                first_row_s = elapsed_s
            time.sleep(POLL_S)
    seconds = time.perf_counter() - started_s
    if job.returncode:
        raise SystemExit(log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:])
    return Run(num_rows, seconds, first_row_s, dict(peak))


def has_rows(output: Path) -> bool:
    """Whether a Parquet file is finished: its footer, written last, can be read."""
    for path in output.glob("[!_.]*.parquet"):
        try:
            return bool(pq.read_metadata(path).num_rows)
        except (pa.ArrowInvalid, OSError):
            continue
    return False


def read_memory(driver: psutil.Process) -> Counter[str]:
    """Memory of a command and of everything below it, in bytes.

    Processes that end meanwhile are left out.
    """
    memory: Counter[str] = Counter()
    try:
        processes = [driver, *driver.children(recursive=True)]
    except psutil.NoSuchProcess:
        return memory
    for process in processes:
        try:
            sizes = process.memory_full_info()
            memory |= Counter(object_store=object_store_bytes(process.pid))
            is_worker = "".join(process.cmdline()).startswith("ray::")
        except (psutil.Error, OSError):
            continue
        memory["all"] += sizes.pss
        if process == driver:
            memory["driver"] = sizes.rss
        elif is_worker:
            memory["workers"] += sizes.pss
            memory["worker"] = max(memory["worker"], sizes.rss)
    return memory


def object_store_bytes(pid: int) -> int:
    """Size of the object store's files that a process holds open.

    Ray unlinks them at once, so no folder lists them; their blocks are what was ever
    written, not what Ray reserved. The raylet holds them from first to last.
    """
    files: dict[int, int] = {}
    for link in Path(f"/proc/{pid}/fd").iterdir():
        if "plasma" in str(link.readlink()):
            status = link.stat()
            files[status.st_ino] = status.st_blocks * 512  # stat's unit
    return sum(files.values())


def command(benchmark: Benchmark, catalog: Path, output: Path) -> list[str]:
    """The command that is measured."""
    return job_command(
        "jobs.score",
        catalog=catalog,
        output=output,
        model=benchmark.model,
        engine=benchmark.engine,
        image_root="/",  # images lie elsewhere than the catalog
        device="cpu",
        plan="fused",
    )


def measure(benchmark: Benchmark, images: list[str], folder: Path) -> list[Run]:
    """The short run, then one of each length."""
    runs: list[Run] = []
    for num_rows in (benchmark.short_rows, *benchmark.rows):
        catalog, output = folder / "catalog.parquet", folder / "predictions"
        write_catalog(catalog, images, num_rows)
        flags = [] if runs else [f"--rows-per-file={benchmark.short_rows_per_file}"]
        run = score(
            command(benchmark, catalog, output) + flags,
            num_rows,
            output,
            folder / "log",
        )
        shutil.rmtree(output)
        say(f"{num_rows} rows in {run.seconds:.1f} s")
        runs.append(run)
    return runs


def rate(run: Run, short: Run) -> float:
    """Rows/s beyond the short run; NaN where start-up's noise is all there is."""
    rows, seconds = run.rows - short.rows, run.seconds - short.seconds
    return rows / seconds if seconds > 0 else float("nan")


def table(runs: list[Run]) -> str:
    """Lay the figures out for people."""
    short, *others = runs
    lines = [
        f"first row written {short.first_row_s:.1f} s after the command",
        f"{'rows':>9} {'rows/s':>8} {'with start-up':>14} {'driver':>8} {'worker':>8} "
        f"{'workers':>8} {'all':>8} {'object store':>13}  (MB)",
    ]
    for run in others:
        mb = {name: size / MB for name, size in run.peak_bytes.items()}
        lines.append(
            f"{run.rows:9d} {rate(run, short):8.0f} {run.rows / run.seconds:14.0f} "
            f"{mb['driver']:8.0f} {mb['worker']:8.0f} {mb['workers']:8.0f} "
            f"{mb['all']:8.0f} {mb['object_store']:13.1f}"
        )
    return "\n".join(lines)


def figures(runs: list[Run], benchmark: Benchmark) -> dict[str, Any]:
    """Everything, for programs."""
    short, *others = runs
    return {
        "rows_per_s": {run.rows: rate(run, short) for run in others},
        "first_row_s": short.first_row_s,
        "runs": [asdict(run) for run in runs],
        "num_cpus": num_cpus(),
        "benchmark": asdict(benchmark),
    }


def main(benchmark: Benchmark) -> None:
    """Measure all lengths, and say what came out."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = list_images(
            benchmark.images,
            folder / "survey",
            benchmark.num_galaxies,
            benchmark.image_size,
        )
        model = benchmark.model or train_model(
            folder, benchmark.network, benchmark.image_size, benchmark.alpha
        )
        benchmark = replace(benchmark, model=model_reference(model))
        runs = measure(benchmark, images, folder)
    say(table(runs))
    if benchmark.json:
        text = json.dumps(figures(runs, benchmark), indent=2)
        Path(benchmark.json).write_text(text + "\n")


if __name__ == "__main__":
    main(tyro.cli(Benchmark, description=__doc__))
