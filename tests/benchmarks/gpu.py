"""How well jobs.score keeps a GPU busy: its rate beside the bare network's.

    python tests/benchmarks/gpu.py --model galaxy-zoo --images galaxy_zoo_2/images

Tasks on all CPUs decode for an actor a GPU, which predicts with Keras in mixed
precision. A short and a long run of ``python -m jobs.score`` are made, so that start-up
falls out of the rate and of the time that actors wait, as their run records tell it.
Beside them stands the same engine in one process, fed from memory. Without a GPU the
same is done with an actor on CPUs: a check of the script, no figure to quote.
"""

import json
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tyro
from contest import (
    Given,
    check_rows,
    job_command,
    list_images,
    num_cpus,
    run_command,
    say,
    train_model,
    write_catalog,
)

from galaxy_models.images.decode import read_images
from galaxy_models.models.engines import load_engine
from galaxy_models.models.folder import read_card
from galaxy_models.models.shipped import model_reference
from galaxy_models.scoring.plan import GPU_BATCH_SIZE

IMAGE_PX = 424  # as in Galaxy Zoo 2
BARE_RUNS = 5


@dataclass(frozen=True, kw_only=True)
class Benchmark(Given):
    """Score on a GPU, and beside it predict alone."""

    num_images: tuple[int, int] = (2_000, 50_000)
    """Images of the short run and of the long one."""

    json: str | None = None
    """File for the figures."""


@dataclass(frozen=True)
class Run:
    """What a run record says."""

    num_images: int
    seconds: float
    num_workers: int
    waiting_s: float
    """Of a worker (s)."""


@dataclass(frozen=True)
class Figures:
    """What came out."""

    num_gpus: int
    num_cpus: int
    num_workers: int
    images_per_s: float
    """Of jobs.score on all GPUs, start-up taken off (1/s)."""

    waiting_share: float
    """Of the actors' time, start-up taken off."""

    bare_images_per_s: float
    """Of the network alone on one GPU (1/s)."""

    ratio: float
    """Rate of an actor over that of the network alone."""


def count_gpus() -> int:
    """GPUs that TensorFlow finds."""
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def score(
    images: list[str], model: str, num_images: int, on_gpus: bool, folder: Path
) -> Run:
    """Score galaxies in two stages; give what the run record says.

    Raises:
        SystemExit: it failed, or did not write a row for every galaxy.
    """
    folder.mkdir()
    write_catalog(folder / "catalog.parquet", images, num_images)
    output = folder / "predictions"
    command = job_command(
        "jobs.score",
        model=model,
        catalog=folder / "catalog.parquet",
        output=output,
        plan="two-stage",
        engine="keras",
        device="gpu" if on_gpus else "cpu",
    )
    run_command(command, folder / "log")
    check_rows("jobs.score", output, num_images)
    record = json.loads((output / "_run.json").read_text())
    return Run(
        num_images,
        record["seconds_this_run"],
        record["num_workers_this_run"],
        record["stage_seconds_this_run"]["waiting"],
    )


def predict_alone(images: list[str], model: str, on_gpus: bool) -> float:
    """Rate of the network alone, fed from memory: the median of some runs (1/s)."""
    card = read_card(model)
    batch, _ = read_images(images[:GPU_BATCH_SIZE], "/", card.decode_rule)
    batch = np.resize(batch, (GPU_BATCH_SIZE, *batch.shape[1:]))
    engine = load_engine("keras", model, card, num_cpus(), on_gpu=on_gpus)
    rates = []
    for _ in range(1 + BARE_RUNS):
        started_s = time.perf_counter()
        engine.predict(batch)
        rates.append(len(batch) / (time.perf_counter() - started_s))
    return statistics.median(rates[1:])  # the first is slow


def compare(short: Run, long: Run, bare: float, num_gpus: int) -> Figures:
    """Take start-up off.

    Raises:
        SystemExit: the long run took no longer than the short one.
    """
    seconds = long.seconds - short.seconds
    if seconds <= 0:
        raise SystemExit(
            f"{long.num_images} images took {long.seconds} s and {short.num_images} "
            f"{short.seconds} s: the second of --num-images is too small."
        )
    rate = (long.num_images - short.num_images) / seconds
    return Figures(
        num_gpus=num_gpus,
        num_cpus=num_cpus(),
        num_workers=long.num_workers,
        images_per_s=round(rate, 1),
        waiting_share=round((long.waiting_s - short.waiting_s) / seconds, 3),
        bare_images_per_s=round(bare, 1),
        ratio=round(rate / long.num_workers / bare, 3),
    )


def main(benchmark: Benchmark) -> None:
    """Score, predict alone, and say what came out."""
    num_gpus = count_gpus()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = list_images(
            benchmark.images, folder / "survey", benchmark.num_galaxies, IMAGE_PX
        )
        model = model_reference(
            benchmark.model
            or train_model(folder, benchmark.network, benchmark.image_size)
        )
        short, long = (
            score(images, model, number, num_gpus > 0, folder / str(number))
            for number in benchmark.num_images
        )
        bare = predict_alone(images, model, num_gpus > 0)
    figures = compare(short, long, bare, num_gpus)
    say(
        f"{figures.num_workers} actor(s) on {num_gpus} GPU(s), {figures.num_cpus} "
        f"CPUs: {figures.images_per_s:.0f} images/s, "
        f"{100 * figures.waiting_share:.0f} % of the time waiting; the network alone "
        f"{figures.bare_images_per_s:.0f} images/s; ratio {figures.ratio:.2f}"
    )
    if benchmark.json:
        Path(benchmark.json).write_text(json.dumps(asdict(figures), indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Benchmark, description=__doc__))
