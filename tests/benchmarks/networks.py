"""Compare the networks: size, arithmetic, speed of a core, accuracy on unseen galaxies.

    python tests/benchmarks/networks.py --catalog galaxy_zoo_2/catalog.csv --work runs

Every network is trained by ``python -m jobs.train`` with the same flags on the same
catalog, and judged by the fifth of it that its training never saw; so is the model
that comes with the package, whose own training left out the same fifth. A training
that --work holds already is not repeated. Out comes a table in Markdown.

Accuracy is that of single views, in floats (Keras) and in 8-bit integers (LiteRT).
Images/s are LiteRT's, without decoding, on one thread: medians of some runs.
"""

import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import tyro
from contest import run_command, say
from numpy.typing import NDArray

from galaxy_models.config import NETWORK_NAMES, NetworkName, TrainConfig
from galaxy_models.images.decode import read_images
from galaxy_models.models.card import CARD_NAME, INT8_NAME, ModelCard
from galaxy_models.models.folder import load_litert, load_model, read_card
from galaxy_models.models.litert import LiteRTNetwork
from galaxy_models.models.networks.complexity import count_multiply_adds
from galaxy_models.models.shipped import model_folder_uri, shipped_names
from galaxy_models.training.labels import sides_of

VALIDATION_FRACTION = 0.1
TEST_FRACTION = 0.2
RATE_IMAGES = 64
RATE_RUNS = 5
HEADER = (
    "| model | parameters (10⁶) | multiply-adds (10⁶) | int8 file (MB) | images/s of a "
    "core | accuracy, float | accuracy, int8 |\n"
    "| --- | --- | --- | --- | --- | --- | --- |"
)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Train and judge every network."""

    catalog: Path
    """Labelled catalog, CSV with object_id, image (relative to it) and label."""

    work: Path
    """Folder of the trainings."""

    networks: tuple[NetworkName, ...] = NETWORK_NAMES
    """Which ones, beside the models that come with the package."""

    image_size: int = 96
    """Side of the square that the networks see (px)."""

    crop_fraction: float = 0.55
    """Central part of the images that is kept."""

    epochs: int = 20
    """Of each training; the rate falls along a cosine."""

    learning_rate: float = 1e-3
    """Adam's first learning rate."""


def train(comparison: Comparison, network: str) -> Path:
    """Train a network, unless that is done."""
    output = comparison.work / network
    if not (output / CARD_NAME).exists():
        flags = {
            "catalog": comparison.catalog,
            "output": output,
            "network": network,
            "image-size": comparison.image_size,
            "crop-fraction": comparison.crop_fraction,
            "epochs": comparison.epochs,
            "early-stopping-patience": comparison.epochs,
            "learning-rate": comparison.learning_rate,
            "schedule": "cosine",
            "weight-averaging": 0.99,
            "validation-fraction": VALIDATION_FRACTION,
            "test-fraction": TEST_FRACTION,
        }
        words = [str(word) for name, value in flags.items() for word in
                 (f"--{name}", value)]  # fmt: skip
        command = [sys.executable, "-m", "jobs.train", *words]
        comparison.work.mkdir(parents=True, exist_ok=True)
        run_command(command, comparison.work / f"{network}.log")
    return output


def unseen_galaxies(catalog: Path) -> pd.DataFrame:
    """The rows that no training with these fractions sees."""
    rows = pd.read_csv(catalog, dtype={"object_id": str})
    config = TrainConfig(
        catalog=str(catalog),
        output="none",
        validation_fraction=VALIDATION_FRACTION,
        test_fraction=TEST_FRACTION,
    )
    is_test = sides_of(pa.array(rows["object_id"]), config) == "test"
    unseen: pd.DataFrame = rows.loc[is_test.tolist()]
    return unseen


def accuracies(
    card: ModelCard, model: str, images: NDArray[np.uint8], labels: pd.Series
) -> tuple[float, float, LiteRTNetwork]:
    """Share of galaxies that get their label: in floats and in integers."""
    classes = np.asarray(card.classes)
    integers = load_litert(model, read_card(model), INT8_NAME, threads=1)
    floats = load_model(model).predict(images, verbose=0)
    return (
        float(np.mean(classes[floats.argmax(axis=1)] == labels)),
        float(np.mean(classes[integers.predict(images).argmax(axis=1)] == labels)),
        integers,
    )


def images_per_s(network: LiteRTNetwork, images: NDArray[np.uint8]) -> float:
    """Rate of one thread, the median of some runs after one that warms up."""
    rates = []
    for _ in range(RATE_RUNS + 1):
        started_s = time.perf_counter()
        network.predict(images)
        rates.append(len(images) / (time.perf_counter() - started_s))
    return statistics.median(rates[1:])


def judge(model: str, title: str, unseen: pd.DataFrame, folder: Path) -> str:
    """Make a model's row of the table."""
    card = read_card(model)
    images, errors = read_images(
        unseen["image"].tolist(), str(folder.absolute()), card.decode_rule
    )
    if any(errors):
        raise SystemExit(f"unseen galaxies that cannot be read: {set(errors)}")
    floats, integers, litert = accuracies(card, model, images, unseen["label"])
    network = load_model(model)
    size_mb = (Path(model_folder_uri(model)) / INT8_NAME).stat().st_size / 1e6
    cells = (
        f"{title}, {card.decode_rule.image_size} px",
        f"{network.count_params() / 1e6:.2f}",
        f"{count_multiply_adds(network) / 1e6:.0f}",
        f"{size_mb:.1f}",
        f"{images_per_s(litert, images[:RATE_IMAGES]):.0f}",
        f"{floats:.3f}",
        f"{integers:.3f}",
    )
    return f"| {' | '.join(cells)} |"


def compare(comparison: Comparison) -> None:
    """Train, judge and print."""
    unseen = unseen_galaxies(comparison.catalog)
    folder = comparison.catalog.parent
    say(f"{len(unseen)} unseen galaxies\n\n{HEADER}")
    for network in comparison.networks:
        say(judge(str(train(comparison, network)), network, unseen, folder))
    for name in shipped_names():
        say(judge(name, f"shipped: {name}", unseen, folder))


if __name__ == "__main__":
    compare(tyro.cli(Comparison, description=__doc__))
