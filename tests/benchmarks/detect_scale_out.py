"""Measure what a second core adds to jobs.detect: 1 and 2 actors, held to a core each.

    python tests/benchmarks/detect_scale_out.py

The command and all that it starts, Ray's own processes too, are held to one core of
this machine with one actor, and to two with two. Each takes some copies of a made-up
FITS frame, and then more of them; the rate is the difference quotient, so that start-up
falls out.
"""

import json
import os
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro
from contest import held_to, job_command, run_command, say
from short_and_long_runs import Result

from galaxy_models.simulation import WideSky, write_frames

SOURCES_PER_MEGAPIXEL = 200
STARS_PER_GALAXY = 2
NUMS_CORES = (1, 2)


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Compare one core with two."""

    frame_px: int = 4096
    """Side of the frame (px)."""

    short_frames: int = 1
    """Copies in a short run."""

    long_frames: int = 13
    """Copies in a long run."""

    rounds: int = 3
    """Times that everything is measured; the medians count."""

    json: str | None = None
    """File for the figures."""


def draw(folder: Path, side_px: int) -> Path:
    """Draw the frame; its file."""
    num = round(SOURCES_PER_MEGAPIXEL * side_px**2 / 1e6)
    num_galaxies = num // (1 + STARS_PER_GALAXY)
    sky = WideSky(num_galaxies=num_galaxies, num_stars=num - num_galaxies)
    write_frames(folder, 1, width=side_px, height=side_px, sky=sky, formats=("fits",))
    return next(folder.rglob("*.fits"))


def detect(frame: Path, num_frames: int, cores: list[int], folder: Path) -> float:
    """Detect on copies of the frame; the command's seconds.

    Raises:
        SystemExit: it failed.
    """
    work = folder / "run"
    (work / "frames").mkdir(parents=True)
    for index in range(num_frames):
        (work / "frames" / f"{index:04}.fits").hardlink_to(frame)
    command = job_command(
        "jobs.detect",
        images=work / "frames",
        output=work / "detections",
        plan="ray",
        num_workers=len(cores),
    )
    with held_to(*cores):
        started_s = time.perf_counter()
        run_command(command, work / "log")
        seconds = time.perf_counter() - started_s
    shutil.rmtree(work)
    return seconds


def main(benchmark: Benchmark) -> None:
    """Measure, and say what came out.

    Raises:
        SystemExit: there are fewer than two cores.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < max(NUMS_CORES):
        raise SystemExit(f"{len(cores)} core(s): two are wanted")
    short, long = benchmark.short_frames, benchmark.long_frames
    results = {num: Result(short, long) for num in NUMS_CORES}
    with tempfile.TemporaryDirectory() as name:
        frame = draw(Path(name), benchmark.frame_px)
        for turn in range(benchmark.rounds):
            for num, result in results.items():
                held = cores[:num]
                result.short_s.append(detect(frame, short, held, Path(name)))
                result.long_s.append(detect(frame, long, held, Path(name)))
                say(
                    f"round {turn + 1}, {num} core(s): {short} frame(s) in "
                    f"{result.short_s[-1]:.1f} s, {long} in {result.long_s[-1]:.1f} s"
                )
    rates = {num: result.rate() for num, result in results.items()}
    megapixels = benchmark.frame_px**2 / 1e6
    for num, rate in rates.items():
        say(f"{num} core(s): {rate * megapixels:.2f} MPix/s")
    say(f"ratio {rates[2] / rates[1]:.2f}")
    if benchmark.json:
        found = {"ratio": rates[2] / rates[1], "frames_per_s": rates}
        found |= {"runs": {num: asdict(result) for num, result in results.items()}}
        Path(benchmark.json).write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Benchmark, description=__doc__))
