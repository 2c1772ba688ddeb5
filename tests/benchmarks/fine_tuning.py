"""Show what a few hundred labels are worth with the shipped model, and without.

    python tests/benchmarks/fine_tuning.py --catalog galaxy_zoo_1/catalog.csv \
        --work runs

Trains on some labelled galaxies twice with the same flags: once with ``--start-from
galaxy-zoo``, once from scratch. The classes may be others than the shipped model's.
Both are judged by the galaxies that neither these trainings nor that of the shipped
model saw: those on the test side of its split. Training galaxies come from the other
sides, where the shipped model may have seen them under other labels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import tyro
from contest import job_command, run_command, say, sides_in_training

from galaxy_models.evaluation.metrics import accuracy, confusion_matrix, macro_f1
from galaxy_models.images.decode import read_images
from galaxy_models.models.card import CARD_NAME
from galaxy_models.models.folder import load_model, read_card


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Train with and without a start."""

    catalog: Path
    """Labelled catalog, CSV with object_id, image (relative to it) and label."""

    work: Path
    """Folder of the trainings."""

    num_labels: int = 500
    """Galaxies to learn from, validation included."""

    epochs: int = 30
    """Of each training; the rate falls along a cosine."""

    seed: int = 0
    """Of the choice of galaxies."""


def split(benchmark: Benchmark) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose galaxies to learn from, and those to judge by."""
    rows = pd.read_csv(benchmark.catalog, dtype=str)
    is_test = sides_in_training(rows["object_id"], read_card("galaxy-zoo")) == "test"
    chosen = rows[~is_test].sample(benchmark.num_labels, random_state=benchmark.seed)
    return chosen, rows[is_test]


def train(benchmark: Benchmark, catalog: Path, name: str, **flags: object) -> Path:
    """Train into a folder of --work, unless that is done."""
    card = read_card("galaxy-zoo")
    output = benchmark.work / name
    if (output / CARD_NAME).exists():
        return output
    command = job_command(
        "jobs.train",
        catalog=catalog,
        image_root=benchmark.catalog.parent.absolute(),
        output=output,
        network=card.network,
        image_size=card.decode_rule.image_size,
        crop_fraction=card.decode_rule.crop_fraction,
        epochs=benchmark.epochs,
        early_stopping_patience=benchmark.epochs,
        schedule="cosine",
        weight_averaging=0.98,
        class_weight="square_root",
        # A mirror turns one winding of Galaxy Zoo 1's spirals into the other.
        horizontal_flip=False,
        vertical_flip=False,
        **flags,
    )
    run_command(command, benchmark.work / f"{name}.log")
    return output


def judge(model: Path, test: pd.DataFrame, root: Path) -> str:
    """Predict the test galaxies; give accuracy and macro-F1.

    A class that none of the labels to learn from had is never predicted.
    """
    card = read_card(str(model))
    images, _ = read_images(test["image"].tolist(), str(root), card.decode_rule)
    predicted = load_model(str(model)).predict(images, verbose=0).argmax(axis=1)
    classes = [*card.classes, *sorted(set(test["label"]) - set(card.classes))]
    labels = np.asarray([classes.index(name) for name in test["label"]])
    confusion = confusion_matrix(labels, predicted, len(classes))
    return f"accuracy {accuracy(confusion):.3f}, macro-F1 {macro_f1(confusion):.3f}"


def show(benchmark: Benchmark) -> None:
    """Train twice, judge, print."""
    benchmark.work.mkdir(parents=True, exist_ok=True)
    chosen, test = split(benchmark)
    catalog = benchmark.work / "labels.csv"
    chosen.to_csv(catalog, index=False)
    say(f"{len(chosen)} labels: {chosen['label'].value_counts().to_dict()}")
    say(f"judged by {len(test)} others: {test['label'].value_counts().to_dict()}")
    root = benchmark.catalog.parent.absolute()
    starts: dict[str, dict[str, object]] = {
        "from_galaxy_zoo": {"start_from": "galaxy-zoo", "learning_rate": 1e-4},
        "from_scratch": {"learning_rate": 1e-3},
    }
    for name, flags in starts.items():
        say(f"{name}: {judge(train(benchmark, catalog, name, **flags), test, root)}")


if __name__ == "__main__":
    show(tyro.cli(Benchmark, description=__doc__))
