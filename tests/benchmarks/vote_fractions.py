"""Show how well vote fractions are predicted, beside the five classes alone.

    python tests/benchmarks/vote_fractions.py --catalog galaxy_zoo_2_votes/catalog.csv \
        --work runs

Trains a model of votes from the shipped model of classes and predicts galaxies that it
did not see. Each of three predictions is compared with their votes, weighted by
voters: the model of votes; the five classes alone (the shipped model's probabilities,
each class with the mean fractions that the training galaxies of that class have); and
the mean fractions of all training galaxies.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import tyro
from contest import job_command, run_command, say
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig
from galaxy_models.evaluation.votes import (
    QuestionErrors,
    measure_fractions,
    measure_votes,
)
from galaxy_models.models import dirichlet
from galaxy_models.models.card import CARD_NAME
from galaxy_models.tables.prediction_schema import concentration_column
from galaxy_models.tables.vote_tables.decision_tree import read_tree
from galaxy_models.tables.vote_tables.vote_counts import find_vote_columns
from galaxy_models.training.labels import sides_of

Fractions = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Train on some votes, predict the others."""

    catalog: Path
    """Catalog of votes, CSV with object_id, image (relative to it) and the answers."""

    work: Path
    """Folder of the training and the predictions."""

    questions: str = "galaxy-zoo-2"
    """Decision tree."""

    epochs: int = 70
    """Of the training; the rate falls along a cosine."""

    learning_rate: float = 1.5e-3
    """At the start."""

    test_fraction: float = 0.25
    """Of the galaxies: those to judge by."""

    tta: str = "dihedral"
    """Views that are averaged."""


def train(benchmark: Benchmark) -> Path:
    """Train into a folder of --work, unless that is done."""
    output = benchmark.work / "model"
    if (output / CARD_NAME).exists():
        return output
    command = job_command(
        "jobs.train",
        catalog=benchmark.catalog.absolute(),
        questions=benchmark.questions,
        start_from="galaxy-zoo",
        image_size=128,
        crop_fraction=0.55,
        margin_fraction=0.2,
        zoom_fraction=0.3,
        shift_fraction=0.05,
        blur_fraction=0.01,
        noise_levels=3,
        colour_fraction=0.1,
        head_epochs=3,
        epochs=benchmark.epochs,
        early_stopping_patience=benchmark.epochs,
        learning_rate=benchmark.learning_rate,
        schedule="cosine",
        weight_averaging=0.98,
        validation_fraction=0.12,
        test_fraction=benchmark.test_fraction,
        output=output.absolute(),
        restore_best_weights=False,
    )
    run_command(command, benchmark.work / "model.log")
    return output


def score(
    benchmark: Benchmark, model: str, name: str, *, posterior: bool
) -> pd.DataFrame:
    """Score all galaxies, unless that is done; give rows by id."""
    output = benchmark.work / name
    command = job_command(
        "jobs.score",
        model=model,
        catalog=benchmark.catalog.absolute(),
        tta=benchmark.tta,
        posterior=posterior,
        output=output.absolute(),
    )
    run_command(command, benchmark.work / f"{name}.log")
    return pd.read_parquet(output).set_index("object_id")


def by_class(
    probabilities: Fractions, votes: Fractions, is_test: NDArray[np.bool_]
) -> Fractions:
    """Mix the mean fractions of the training galaxies of each class.

    Args:
        probabilities: of classes, shape (galaxies, classes).
        votes: shape (galaxies, answers).
        is_test: shape (galaxies,), which are not to be learned from.

    Returns:
        Votes that are expected, shape (galaxies, answers), but for their sum.
    """
    shares = probabilities[~is_test]
    of_classes = shares.T @ votes[~is_test] / shares.sum(axis=0)[:, None]
    return np.asarray(probabilities @ of_classes, np.float32)


def line(name: str, errors: QuestionErrors) -> str:
    """Spell the errors of a prediction, and their ratio to those of the mean."""
    ratio = errors.error / errors.error_of_mean
    rms_ratio = errors.rms_error / errors.rms_error_of_mean
    return (
        f"{name:28} error {errors.error:.4f} ({ratio:.3f} of the mean's), RMS "
        f"{errors.rms_error:.4f} ({rms_ratio:.3f}; squared {rms_ratio**2:.3f})"
    )


def show(benchmark: Benchmark) -> None:
    """Train, score, compare, print."""
    benchmark.work.mkdir(parents=True, exist_ok=True)
    tree, table = read_tree(benchmark.questions), pd.read_csv(benchmark.catalog)
    columns = find_vote_columns(tree, table.columns, str(benchmark.catalog), None)
    ids = table["object_id"]
    votes = columns.read(pa.table(table[columns.names]), ids.tolist())
    split = TrainConfig(catalog="c", output="o", test_fraction=benchmark.test_fraction)
    is_test = sides_of(pa.array(ids), split) == "test"

    model = train(benchmark)
    said = score(benchmark, str(model.absolute()), "of_votes", posterior=True).loc[ids]
    concentrations = said[list(map(concentration_column, tree.columns))].to_numpy()
    classes = score(benchmark, "galaxy-zoo", "of_classes", posterior=False).loc[ids]
    probabilities = classes.filter(regex="^probability_(?!spread)").to_numpy()
    mixed = by_class(probabilities, votes, is_test) + 1e-9

    errors = measure_votes(votes[is_test], concentrations[is_test], tree)
    alone = measure_fractions(
        votes[is_test], dirichlet.expected_fractions(mixed, tree)[is_test], tree
    )
    say(f"{int((~is_test).sum())} galaxies to learn from, {int(is_test.sum())} others")
    for one, other in zip(errors.questions, alone.questions, strict=True):
        say(line(one.name, one))
        say(line("  five classes alone", other))
    say(line("all questions", errors.total))
    say(line("  five classes alone", alone.total))
    assert errors.posterior is not None
    say(f"inside central intervals: {json.dumps(errors.posterior.coverage)}")


if __name__ == "__main__":
    show(tyro.cli(Benchmark, description=__doc__))
