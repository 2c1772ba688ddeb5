"""Measure images/s of jobs.score and of other ways to score the same galaxies.

    python tests/benchmarks/score_throughput.py

On all cores of this machine, with the same JPEG files and the same weights:

    ours         python -m jobs.score, embedded Ray, int8 engine
    blog         load_img, img_to_array, model.predict in one process
    ray_pattern  Ray's guide: read_images, map_batches over Keras actors, write_parquet
    daft_keras   Daft: download, decode, resize, a class UDF with Keras, write_parquet
    daft_int8    Daft: download, a class UDF with this project's decoder and int8 engine
    floor        this project's decoder and int8 engine in bare processes, without Ray

Each writes a Parquet row of id, class and probabilities for every galaxy, and the rows
are counted. Each is a command of its own, timed from outside, start to exit: imports,
actors and writes included.

A round takes every contestant in turn through a short run and a long one. The rate is
the difference quotient, (images long - images short) / (seconds long - seconds short):
start-up is in both and falls out, for all contestants alike and without a clock inside
any. In the first round the long run grows until it takes ``--seconds`` more than the
short one; so each contestant has its own number of images, the same files again under
new ids. What is left of the short run is the start-up. Out come the medians of all
rounds, and beside them the rates of the long runs with start-up.

Training decides by trial how many of the network's layers int8 leaves in float, and so
its speed: for figures to quote, name a trained model with ``--model``. Leave the
machine alone meanwhile. Where Daft needs an environment of its own (its newest may not
fit the pinned pyarrow), name that environment's Python with ``--daft-python``.
"""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import tyro
from contest import (
    Given,
    Int8Engine,
    check_rows,
    has_daft,
    list_images,
    num_cpus,
    run_command,
    say,
    train_model,
    write_catalog,
)
from short_and_long_runs import Result, measure

from galaxy_models.models.card import INT8_NAME
from galaxy_models.models.folder import read_card
from galaxy_models.models.shipped import model_folder_uri, model_reference

Name = Literal["ours", "blog", "ray_pattern", "daft_keras", "daft_int8", "floor"]
NAMES: tuple[Name, ...] = get_args(Name)
CONTESTANTS_SCRIPT = Path(__file__).with_name("contestants.py")

IMAGE_PX = 424  # as in Galaxy Zoo 2


@dataclass(frozen=True, kw_only=True)
class Benchmark(Given):
    """Compare ways of scoring galaxies."""

    rounds: int = 3
    """Times that every contestant runs; the medians count."""

    seconds: float = 60.0
    """What a long run takes beyond a short one, at least, in the first round (s)."""

    only: tuple[Name, ...] = NAMES
    """Contestants."""

    engine: Int8Engine = "litert-int8"
    """This project's, where it predicts."""

    daft_python: str = sys.executable
    """Python that has Daft and this package."""

    json: str | None = None
    """File for the figures."""


@dataclass(frozen=True)
class Course:
    """Where contestants run: images, a model, and a folder for what they write."""

    images: list[str]
    model: str
    folder: Path
    daft_python: str
    engine: Int8Engine

    def run(self, name: Name, num_images: int) -> float:
        """Let a contestant score galaxies; returns its seconds.

        Raises:
            SystemExit: it failed, or did not write a row for every galaxy.
        """
        folder = self.folder / "run"
        catalog = self._lay_out(folder, num_images)
        output = folder / "predictions"
        command = self._command(name, catalog, output)
        started_s = time.perf_counter()
        run_command(command, folder / "log")
        seconds = time.perf_counter() - started_s
        check_rows(name, output, num_images)
        shutil.rmtree(folder)
        return seconds

    def _lay_out(self, folder: Path, num_images: int) -> Path:
        """Make a folder with as many names of images as asked for, and a catalog."""
        (folder / "images").mkdir(parents=True)
        paths = [folder / "images" / f"{index:08d}.jpg" for index in range(num_images)]
        for index, path in enumerate(paths):
            path.symlink_to(self.images[index % len(self.images)])
        write_catalog(folder / "catalog.parquet", [str(p) for p in paths], num_images)
        return folder / "catalog.parquet"

    def _command(self, name: Name, catalog: Path, output: Path) -> list[str]:
        flags = ["--catalog", str(catalog), "--model", self.model]
        flags += ["--output", str(output), "--engine", self.engine]
        if name == "ours":
            plan = ["--device", "cpu", "--plan", "fused"]
            return [sys.executable, "-m", "jobs.score", *flags, *plan]
        python = self.daft_python if name.startswith("daft") else sys.executable
        return [python, str(CONTESTANTS_SCRIPT), name, *flags]


def table(results: dict[Name, Result]) -> str:
    """Lay the figures out for people."""
    lines = [
        f"{'':12} {'images/s':>9} {'min–max':>15} {'ours is':>8} "
        f"{'with start-up':>14} {'start-up':>9} {'images':>8}"
    ]
    ours = results["ours"].rate() if "ours" in results else float("nan")
    for name, result in results.items():
        rates = result.rates() or [float("nan")]
        limits = f"{min(rates):.1f}–{max(rates):.1f}"
        lines.append(
            f"{name:12} {result.rate():9.1f} {limits:>15} "
            f"{ours / result.rate():7.2f}× {result.rate_with_start_up():14.1f} "
            f"{result.start_up_s():7.1f} s {result.long_images:8d}"
        )
    return "\n".join(lines)


def figures(results: dict[Name, Result], benchmark: Benchmark) -> dict[str, Any]:
    """Everything, for programs."""

    def by_name(figure: Callable[[Result], float]) -> dict[str, float]:
        return {name: round(figure(result), 2) for name, result in results.items()}

    return {
        "images_per_s": by_name(Result.rate),
        "images_per_s_with_start_up": by_name(Result.rate_with_start_up),
        "start_up_s": by_name(Result.start_up_s),
        "runs": {name: asdict(result) for name, result in results.items()},
        "num_cpus": num_cpus(),
        "benchmark": asdict(benchmark),
    }


def contestants(benchmark: Benchmark) -> list[Name]:
    """Those asked for, less Daft's where there is no Daft."""
    names = list(benchmark.only)
    if any(name.startswith("daft") for name in names) and not has_daft(
        benchmark.daft_python
    ):
        say(
            f"{benchmark.daft_python} has no Daft, so it is left out; remedy: "
            "pip install -c infra/constraints.txt -e '.[bench]'"
        )
        names = [name for name in names if not name.startswith("daft")]
    return names


def describe(model: str, num_images: int) -> str:
    """Name what the rates hang on."""
    card = read_card(model)
    int8 = card.litert.get(INT8_NAME)
    float_layers = int8.num_float_layers if int8 else "no int8 file, so no"
    return (
        f"{card.network} at {card.decode_rule.image_size} px, int8 with {float_layers} "
        f"float layer(s); {num_images} images, {num_cpus()} core(s)"
    )


def main(benchmark: Benchmark) -> None:
    """Compare, and say what came out."""
    names = contestants(benchmark)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = list_images(
            benchmark.images, folder / "survey", benchmark.num_galaxies, IMAGE_PX
        )
        model = benchmark.model or train_model(
            folder, benchmark.network, benchmark.image_size
        )
        model = model_folder_uri(model_reference(model))
        say(describe(model, len(images)))
        course = Course(images, model, folder, benchmark.daft_python, benchmark.engine)
        results = measure(course.run, names, benchmark.rounds, benchmark.seconds)
    say(table(results))
    if benchmark.json:
        text = json.dumps(figures(results, benchmark), indent=2)
        Path(benchmark.json).write_text(text + "\n")


if __name__ == "__main__":
    main(tyro.cli(Benchmark, description=__doc__))
