"""Do the galaxies of ``jobs.label_page`` teach more than galaxies drawn at random?

    python tests/benchmarks/active_learning.py --model model --catalog galaxies.csv

People are simulated by the catalog's labels. In three rounds each way labels the same
number of galaxies of a pool, and a new last layer learns from all that are labelled so
far; it is judged on galaxies that are never labelled. The first galaxies are drawn at
random in both ways. The network below the last layer stays as it is, as in the epochs
of ``--head-epochs``: a whole fine-tuning is not simulated.
"""

import json
import sys
import tempfile
from dataclasses import dataclass, field

import numpy as np
import tyro
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from galaxy_models.config import CatalogConfig
from galaxy_models.exploration.selection import CANDIDATES_A_GALAXY, choose
from galaxy_models.images.decode import read_images
from galaxy_models.models.engines import choose_engine, load_engine
from galaxy_models.models.folder import load_embedding, read_card
from galaxy_models.tables.catalog import open_catalog
from galaxy_models.tables.columns import image_sources
from galaxy_models.tables.formats.numbered_rows import (
    RowReader,
    number_rows,
    sample_rows,
)

Floats = NDArray[np.float64]
BATCH_SIZE = 64
PENALTY = 1e-3  # of squared weights, as a small head needs
COMPONENTS = 32


@dataclass(frozen=True, kw_only=True)
class SimulationConfig(CatalogConfig):
    """Compare two ways of choosing galaxies to label."""

    model: str
    """Model folder with an embedding."""

    label_column: str = "label"
    """Column of the true classes."""

    num_galaxies: int = 6000
    """Drawn at random from the catalog."""

    test_fraction: float = 0.4
    """Share that is never labelled."""

    labels: tuple[int, ...] = (50, 125, 200)
    """Labelled galaxies after each round."""

    repeats: int = 10
    """Other splits and first galaxies; means and standard errors are over them."""


@dataclass
class Way:
    """A way of choosing, and its accuracy after each round, of each repeat."""

    accuracies: list[list[float]] = field(default_factory=list)

    def summary(self) -> list[list[float]]:
        """Mean and standard error after each round."""
        found = np.array(self.accuracies)
        errors = found.std(axis=0, ddof=1) / np.sqrt(len(found))
        return [
            [round(float(one), 4) for one in pair]
            for pair in zip(found.mean(axis=0), errors, strict=True)
        ]


def main(config: SimulationConfig) -> None:
    """Simulate, and print the accuracies as JSON."""
    features, embeddings, labels = described(config)
    ways = {"instructive": Way(), "random": Way()}
    for seed in range(config.repeats):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(labels))
        num_test = int(config.test_fraction * len(labels))
        test, pool = order[:num_test], order[num_test:]
        for name, way in ways.items():
            galaxies = Galaxies(features, embeddings, labels, pool, test)
            rounds = simulate(galaxies, config.labels, name == "instructive", rng)
            way.accuracies.append(rounds)
    result = {"labels": config.labels, "galaxies": len(labels)}
    result |= {name: way.summary() for name, way in ways.items()}
    sys.stdout.write(f"{json.dumps(result)}\n")


@dataclass(frozen=True)
class Galaxies:
    """All galaxies, and which of them may be labelled."""

    features: Floats
    embeddings: NDArray[np.float32]
    labels: NDArray[np.int64]
    pool: NDArray[np.int64]
    test: NDArray[np.int64]


def simulate(
    galaxies: Galaxies,
    goals: tuple[int, ...],
    is_instructive: bool,
    rng: np.random.Generator,
) -> list[float]:
    """Label in rounds; give the accuracy on the test galaxies after each."""
    features, labels, test = galaxies.features, galaxies.labels, galaxies.test
    labelled, accuracies = galaxies.pool[: goals[0]], []
    weights = np.zeros((features.shape[1], labels.max() + 1))
    for goal in goals:
        num = goal - len(labelled)
        if num:
            rest = np.setdiff1d(galaxies.pool, labelled, assume_unique=True)
            chosen = rng.permutation(len(rest))[:num]
            if is_instructive:
                shares = predicted(weights, features[rest])
                chosen = instructive(shares, galaxies.embeddings[rest], num)
            labelled = np.append(labelled, rest[chosen])
        weights = fit_head(features[labelled], labels[labelled], labels.max() + 1)
        guesses = predicted(weights, features[test]).argmax(axis=1)
        accuracies.append(float(np.mean(guesses == labels[test])))
    return accuracies


def instructive(
    shares: Floats, embeddings: NDArray[np.float32], num: int
) -> NDArray[np.int64]:
    """Choose as ``jobs.label_page`` does."""
    uncertainty = 1 - shares.max(axis=1)
    candidates = np.argsort(-uncertainty)[: num * CANDIDATES_A_GALAXY]
    found = choose(
        embeddings[candidates], uncertainty[candidates].astype(np.float32), num
    )
    return np.asarray(candidates[found], np.int64)


def fit_head(features: Floats, labels: NDArray[np.int64], num_classes: int) -> Floats:
    """Fit a last layer: multinomial logistic regression with a penalty."""
    one_hot = np.eye(num_classes)[labels]

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(-1, num_classes)
        logits = features @ weights
        gradient = features.T @ (softmax(logits, axis=1) - one_hot) / len(labels)
        value = -(one_hot * log_softmax(logits, axis=1)).sum() / len(labels)
        penalty = PENALTY * np.square(weights).sum()
        return float(value + penalty), (gradient + 2 * PENALTY * weights).ravel()

    start = np.zeros(features.shape[1] * num_classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(found.x).reshape(-1, num_classes)


def predicted(weights: Floats, features: Floats) -> Floats:
    """Probabilities of a fitted last layer."""
    return np.asarray(softmax(features @ weights, axis=1))


def described(
    config: SimulationConfig,
) -> tuple[Floats, NDArray[np.float32], NDArray[np.int64]]:
    """Decode and predict a sample; give features, embeddings and labels.

    The features are all components of the embedding, with a column of ones.
    """
    with tempfile.TemporaryDirectory() as staging:
        return _described(config, staging)


def _described(
    config: SimulationConfig, staging: str
) -> tuple[Floats, NDArray[np.float32], NDArray[np.int64]]:
    card = read_card(config.model)
    embedding = load_embedding(config.model, card)
    name = choose_engine("auto", card, on_gpus=False)
    engine = load_engine(name, config.model, card, threads=1)
    catalog = open_catalog(config, staging, [config.label_column], for_ray=False)
    rows = sample_rows(number_rows(catalog.table), config.num_galaxies)
    label_column = catalog.column(config.label_column)
    reader = RowReader(rows, [catalog.image_column, label_column])
    features, labels = [], []
    for start in range(0, rows.num_rows, BATCH_SIZE):
        batch = reader.read(start, min(start + BATCH_SIZE, rows.num_rows))
        images, errors = read_images(
            image_sources(batch[catalog.image_column]),
            catalog.image_root,
            card.decode_rule,
        )
        is_good = np.array([error is None for error in errors])
        found = engine.predict_with_features(images[is_good])[1]
        features.append(embedding.project(found, embedding.num_components))
        labels.append(np.array(batch[label_column].to_pylist())[is_good])
    projected = np.concatenate(features)
    spread = projected.std(axis=0)
    _, numbers = np.unique(np.concatenate(labels), return_inverse=True)
    ones = np.ones((len(projected), 1))
    return np.hstack([projected / spread, ones]), projected[:, :COMPONENTS], numbers


if __name__ == "__main__":
    main(tyro.cli(SimulationConfig))
