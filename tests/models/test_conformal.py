"""Conformal sets of classes."""

import numpy as np
import pytest

from galaxy_models.models.conformal import fit_threshold, plausible_classes


def galaxies(num: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a network that is far too sure, and true classes."""
    rng = np.random.default_rng(seed)
    chances = rng.dirichlet([0.5, 0.5, 0.5, 0.5], num)
    labels = np.asarray([rng.choice(4, p=p) for p in chances])
    said = chances**3 / (chances**3).sum(axis=1, keepdims=True)
    return said.astype(np.float32), labels


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_sets_hold_the_truth_of_further_galaxies_as_promised(level: float) -> None:
    threshold = fit_threshold(*galaxies(1500, 0), level)
    probabilities, labels = galaxies(4000, 1)

    sets = plausible_classes(probabilities, threshold)

    coverage = sets[np.arange(len(labels)), labels].mean()
    assert coverage == pytest.approx(level, abs=0.03)
    assert 1 < sets.sum(axis=1).mean() < 3


def test_too_few_galaxies_promise_nothing_less_than_all_classes() -> None:
    probabilities, labels = galaxies(8, 0)

    assert fit_threshold(probabilities, labels) == 0
    assert plausible_classes(probabilities, 0).all()
    assert fit_threshold(*galaxies(9, 0)) > 0


def test_the_most_probable_class_is_always_plausible() -> None:
    probabilities = np.asarray([[0.4, 0.3, 0.3], [0.8, 0.1, 0.1]], np.float32)

    assert plausible_classes(probabilities, 0.9).tolist() == [
        [True, False, False],
        [True, False, False],
    ]
