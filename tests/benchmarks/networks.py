"""Compare the networks: size, arithmetic, speed of a core, accuracy on unseen galaxies.

    python tests/benchmarks/networks.py --catalog galaxies.csv --work runs

Every network is trained by ``python -m jobs.train`` with the same flags on the same
catalog, and evaluated on the galaxies that its training held back; so are the models
that come with the package and have the same classes, whose own training held back the
same ones. A training that --work holds already is not repeated. Out comes a table in
Markdown.

Accuracy is that of single views, in floats (Keras) and in 8-bit integers (LiteRT);
macro-F1 and the recall of the rarest class are the integers'. Images/s are LiteRT's,
without decoding, on one thread: medians of some runs.
"""

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import tyro
from contest import job_command, run_command, say
from numpy.typing import NDArray

from galaxy_models.config import NETWORK_NAMES, NetworkName, TrainConfig
from galaxy_models.evaluation import metrics
from galaxy_models.images.allowed_paths import EVERYWHERE
from galaxy_models.images.decode import read_images
from galaxy_models.models.card import CARD_NAME, INT8_NAME
from galaxy_models.models.folder import load_litert, load_model, read_card
from galaxy_models.models.litert import LiteRTNetwork
from galaxy_models.models.networks.complexity import count_multiply_adds
from galaxy_models.models.shipped import model_folder_uri, shipped_names
from galaxy_models.training.export import to_litert
from galaxy_models.training.labels import sides_of

VALIDATION_FRACTION = 0.05
TEST_FRACTION = 0.05
RATE_IMAGES = 64
RATE_RUNS = 5
COLUMNS = (
    "model", "parameters (10⁶)", "multiply-adds (10⁶)", "int8 file (MB)",
    "images/s of a core, float", "int8", "accuracy, float", "int8", "macro-F1",
)  # fmt: skip
ARCHITECTURES = (
    ("lenet5", 1.0), ("mobilenet_v1", 1.0), ("mobilenet_v2", 1.0),
    ("mobilenet_v2_paper", 1.0), ("mobilenet_v2_paper", 0.5),
)  # fmt: skip
"""Networks and their width multipliers."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Train and evaluate every network."""

    catalog: Path
    """Labelled catalog, CSV with object_id, image and label."""

    work: Path
    """Folder of the trainings."""

    networks: tuple[NetworkName, ...] = NETWORK_NAMES
    """Which ones, beside the models that come with the package; mobilenet_v2_paper at
    two widths."""

    image_size: int = 96
    """Side of the square that the networks see (px)."""

    crop_fraction: float = 0.55
    """Central part of the images that is kept."""

    epochs: int = 20
    """Of each training; the rate falls along a cosine."""

    learning_rate: float = 1e-3
    """Adam's first learning rate."""


def train(comparison: Comparison, network: str, alpha: float) -> Path:
    """Train a network, unless that is done."""
    output = comparison.work / (network if alpha == 1 else f"{network}_{alpha}")
    if not (output / CARD_NAME).exists():
        command = job_command(
            "jobs.train",
            catalog=comparison.catalog,
            output=output,
            network=network,
            alpha=alpha,
            image_size=comparison.image_size,
            crop_fraction=comparison.crop_fraction,
            epochs=comparison.epochs,
            early_stopping_patience=comparison.epochs,
            learning_rate=comparison.learning_rate,
            schedule="cosine",
            weight_averaging=0.99,
            validation_fraction=VALIDATION_FRACTION,
            test_fraction=TEST_FRACTION,
        )
        comparison.work.mkdir(parents=True, exist_ok=True)
        run_command(command, output.with_suffix(".log"))
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


def images_per_s(network: LiteRTNetwork, images: NDArray[np.uint8]) -> float:
    """Rate of one thread, the median of some runs after one that warms up."""
    rates = []
    for _ in range(RATE_RUNS + 1):
        started_s = time.perf_counter()
        network.predict(images)
        rates.append(len(images) / (time.perf_counter() - started_s))
    return statistics.median(rates[1:])


def evaluate(model: str, title: str, unseen: pd.DataFrame, folder: Path) -> str:
    """Make a model's row of the table."""
    card = read_card(model)
    images, errors = read_images(
        unseen["image"].tolist(), str(folder.absolute()), card.decode_rule, EVERYWHERE
    )
    unread = [error for error in errors if error]
    if unread:
        raise SystemExit(f"{len(unread)} galaxies cannot be read, such as: {unread[0]}")
    labels = np.asarray([card.classes.index(label) for label in unseen["label"]])
    network = load_model(model)
    floats = network.predict(images, verbose=0).argmax(axis=1)
    integers = load_litert(model, card, INT8_NAME, threads=1)
    confusion = metrics.confusion_matrix(
        labels, integers.predict(images).argmax(axis=1), len(card.classes)
    )
    rarest = np.bincount(labels).argmin()
    some = images[:RATE_IMAGES]
    size_mb = (Path(model_folder_uri(model)) / INT8_NAME).stat().st_size / 1e6
    cells = (
        f"{title}, {card.decode_rule.image_size} px",
        f"{network.count_params() / 1e6:.2f}",
        f"{count_multiply_adds(network) / 1e6:.0f}",
        f"{size_mb:.1f}",
        f"{images_per_s(LiteRTNetwork(to_litert(network), threads=1), some):.0f}",
        f"{images_per_s(integers, some):.0f}",
        f"{np.mean(floats == labels):.4f}",
        f"{metrics.accuracy(confusion):.4f}",
        f"{metrics.macro_f1(confusion):.3f}",
        f"{metrics.class_scores(confusion).recall[rarest]:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def compare(comparison: Comparison) -> None:
    """Train, evaluate and print."""
    unseen = unseen_galaxies(comparison.catalog)
    folder = comparison.catalog.parent
    cells = (*COLUMNS, f"recall of {unseen['label'].value_counts().idxmin()}")
    say(f"{len(unseen)} unseen galaxies\n\n| {' | '.join(cells)} |")
    say(f"|{' --- |' * len(cells)}")
    for network, alpha in ARCHITECTURES:
        if network in comparison.networks:
            title = network if alpha == 1 else f"{network}, α = {alpha}"
            model = train(comparison, network, alpha)
            say(evaluate(str(model), title, unseen, folder))
    for name in shipped_names():
        if set(read_card(name).classes) == set(unseen["label"]):
            say(evaluate(name, f"shipped: {name}", unseen, folder))


if __name__ == "__main__":
    compare(tyro.cli(Comparison, description=__doc__))
