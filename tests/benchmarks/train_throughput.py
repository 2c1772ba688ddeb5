"""Measure images/s of jobs.train beside plain Keras on the same galaxies.

    python tests/benchmarks/train_throughput.py

On all cores of this machine, with the same network, image size, batch and galaxies:

    keras        Keras' own ``fit`` in one process with all cores; decoded galaxies
                 lie in memory, tf.data shuffles and batches them; no augmentation
    one_worker   python -m jobs.train with one worker on all cores
    two_workers  the same with two workers on half the cores each

So Keras has the easier task: this project reads its galaxies from Ray's object store
and turns, shifts and zooms each of them. A rate is that of whole epochs of training,
without validation. The first epoch, in which TensorFlow traces, is left out, and so is
what comes before it.

Rounds take every contestant in turn; out come the medians of all their epochs, and for
this project where its time goes: to what share of training it waited for galaxies, and
what validation and keeping the checkpoint add to an epoch. Leave the machine alone
meanwhile.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
import tyro
from contest import job_command, num_cpus, run_command, say

from galaxy_models.config import NetworkName
from galaxy_models.images.decode import DecodeRule, read_images
from galaxy_models.models.tensorflow_runtime import start_tensorflow
from galaxy_models.simulation import write_survey

Name = Literal["keras", "one_worker", "two_workers"]
NAMES: tuple[Name, ...] = get_args(Name)
NUM_WORKERS: dict[Name, int] = {"one_worker": 1, "two_workers": 2}
VALIDATION_FRACTION = 0.1


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Compare ways of training a network."""

    catalog: str | None = None
    """Labelled catalog with columns object_id, image, label; left out: made up."""

    num_galaxies: int = 640
    """Made-up galaxies; left out with --catalog."""

    network: NetworkName = "mobilenet_v1"
    """Architecture."""

    image_size: int = 128
    """Side of the square that the network sees (px)."""

    batch_size: int = 32
    """Galaxies a step, summed over all workers."""

    epochs: int = 4
    """Of each run; the first one is not counted."""

    rounds: int = 3
    """Times that each contestant runs."""

    json: Path | None = None
    """File for the figures."""

    keras_output: Path | None = None
    """For the script's own use: be the contestant, write its rates there."""


def train_as_keras_documents(benchmark: Benchmark, catalog: Path, output: Path) -> None:
    """Train with ``fit`` and ``tf.data`` in this process; write epochs' images/s."""
    start_tensorflow(num_cpus())

    import keras
    import tensorflow as tf

    from galaxy_models.models.networks import build_network

    table = pd.read_csv(catalog)
    images, errors = read_images(
        table["image"].tolist(), str(catalog.parent), DecodeRule(benchmark.image_size)
    )
    is_good = np.asarray([error is None for error in errors])
    labels, classes = pd.factorize(table["label"][is_good])
    # As many as jobs.train trains on, but for a few: it holds the others back.
    num_training = int(len(labels) * (1 - VALIDATION_FRACTION))
    examples = images[is_good][:num_training], labels[:num_training].astype(np.int32)
    data = tf.data.Dataset.from_tensor_slices(examples).shuffle(num_training)
    data = data.batch(benchmark.batch_size).prefetch(tf.data.AUTOTUNE)
    network = build_network(benchmark.network, len(classes), benchmark.image_size)
    network.compile(
        keras.optimizers.Adam(5e-4),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,  # XLA on CPUs is 10 times slower
    )
    rates, started_s = [], 0.0

    def begin(epoch: int, logs: object) -> None:
        nonlocal started_s
        del epoch, logs
        started_s = time.perf_counter()

    def end(epoch: int, logs: object) -> None:
        del epoch, logs
        rates.append(num_training / (time.perf_counter() - started_s))

    watch = keras.callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=end)
    network.fit(data, epochs=benchmark.epochs, callbacks=[watch], verbose=0)
    output.write_text(json.dumps(rates))


def run_keras(benchmark: Benchmark, catalog: Path, folder: Path) -> list[float]:
    """Run plain Keras in a process of its own; give the epochs' images/s."""
    output = folder / "rates.json"
    command = [sys.executable, __file__, "--catalog", str(catalog)]
    command += [*_flags(benchmark), "--keras-output", str(output)]
    run_command(command, folder / "log")
    return list(json.loads(output.read_text()))


def run_ours(
    benchmark: Benchmark, catalog: Path, folder: Path, name: Name
) -> pd.DataFrame:
    """Run ``jobs.train``; give its history."""
    output = folder / "model"
    command = job_command(
        "jobs.train",
        catalog=catalog,
        output=output,
        num_workers=NUM_WORKERS[name],
        validation_fraction=VALIDATION_FRACTION,
    )
    run_command([*command, *_flags(benchmark)], folder / "log")
    return pd.read_csv(output / "history.csv")


def _flags(benchmark: Benchmark) -> list[str]:
    names = ("network", "image_size", "batch_size", "epochs")
    return [
        text
        for name in names
        for text in (f"--{name.replace('_', '-')}", str(getattr(benchmark, name)))
    ]


def compare(benchmark: Benchmark, catalog: Path, folder: Path) -> dict[Name, float]:
    """Run all rounds; print the table; give the medians in images/s."""
    rates: dict[Name, list[float]] = {name: [] for name in NAMES}
    histories: dict[Name, list[pd.DataFrame]] = {name: [] for name in NUM_WORKERS}
    for round_ in range(benchmark.rounds):
        for name in NAMES:
            place = folder / f"{round_}-{name}"
            place.mkdir()
            if name == "keras":
                found = run_keras(benchmark, catalog, place)
            else:
                history = run_ours(benchmark, catalog, place, name)
                histories[name].append(history)
                found = history["images_per_s"].tolist()
            rates[name].extend(found[1:])
            say(f"round {round_ + 1}: {name} {statistics.median(found[1:]):.1f}")
    medians = {name: statistics.median(found) for name, found in rates.items()}
    say(f"\n{'':12} {'images/s':>9} {'of keras':>9}   lowest, highest epoch")
    for name, rate in medians.items():
        least, most = min(rates[name]), max(rates[name])
        ratio = rate / medians["keras"]
        say(f"{name:12} {rate:9.1f} {ratio:9.2f}   {least:.1f}, {most:.1f}")
    for name, runs in histories.items():
        say(f"\n{name}: {_described(runs)}")
    return medians


def _described(histories: list[pd.DataFrame]) -> str:
    """Say where an epoch's time goes, in medians."""
    epochs = pd.concat([history.iloc[1:] for history in histories])
    kept_s = pd.concat(
        [
            history["unix_s"].diff().iloc[1:] - history["epoch_s"].iloc[1:]
            for history in histories
        ]
    )
    first_s = statistics.median(history["epoch_s"].iloc[0] for history in histories)
    waiting = 100 * epochs["wait_fraction"].median()
    return (
        f"an epoch with validation takes {epochs['epoch_s'].median():.1f} s, the first "
        f"one {first_s:.1f} s (tracing); {waiting:.1f} % of training waits for "
        f"galaxies; checkpoint, history and log take {kept_s.median():.1f} s"
    )


def main(benchmark: Benchmark) -> None:
    """Make galaxies if there are none, compare, write the figures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if benchmark.catalog is None:
            survey = write_survey(
                folder / "survey",
                benchmark.num_galaxies,
                image_size=benchmark.image_size,
                num_processes=num_cpus(),
            )
            catalog = survey.catalog
        else:
            catalog = Path(benchmark.catalog).absolute()
        if benchmark.keras_output is not None:
            train_as_keras_documents(benchmark, catalog, benchmark.keras_output)
            return
        say(f"{benchmark.network}, {benchmark.image_size} px, {os.cpu_count()} CPUs")
        medians = compare(benchmark, catalog, folder)
    if benchmark.json is not None:
        figures = {"images_per_s": medians}
        benchmark.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Benchmark, description=__doc__))
