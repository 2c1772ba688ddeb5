"""Votes as draws of Dirichlet-multinomial distributions."""

import numpy as np
import pytest
from scipy import stats

from galaxy_models.models import dirichlet
from galaxy_models.models.heads import VotesHead
from galaxy_models.tables.vote_tables.decision_tree import make_tree

TREE = make_tree(
    {
        "shape": {"smooth": None, "disk": "arms"},
        "arms": {"one": None, "two": None, "three": None},
    },
    "t",
)
CONCENTRATIONS = np.asarray([[2, 6, 1, 1, 2], [9, 1, 3, 3, 3]], np.float32)


def draws(num: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Concentrations of galaxies, and votes drawn of them."""
    rng = np.random.default_rng(seed)
    concentrations = rng.uniform(0.5, 12, (num, 5)).astype(np.float32)
    votes = np.zeros((num, 5))
    for row, alphas in enumerate(concentrations):
        votes[row, :2] = rng.multinomial(40, rng.dirichlet(alphas[:2]))
        num_asked = int(votes[row, 1])
        votes[row, 2:] = rng.multinomial(num_asked, rng.dirichlet(alphas[2:]))
    return concentrations, votes.astype(np.float32)


def test_fractions_of_a_question_add_up_and_shares_follow_the_tree() -> None:
    fractions = dirichlet.expected_fractions(CONCENTRATIONS, TREE)

    np.testing.assert_allclose(fractions[0], [0.25, 0.75, 0.25, 0.25, 0.5])
    asked = dirichlet.asked_fractions(fractions, TREE)
    np.testing.assert_allclose(asked, [[1, 0.75], [1, 0.1]], rtol=1e-6)


def test_the_likelihood_is_scipys() -> None:
    votes = np.asarray([[3, 5, 1, 0, 4], [6, 0, 0, 0, 0]], np.float32)

    found = dirichlet.negative_log_likelihood(votes, CONCENTRATIONS, TREE)

    one, two = (
        stats.dirichlet_multinomial.logpmf([3, 5], [2, 6], 8)
        + stats.dirichlet_multinomial.logpmf([1, 0, 4], [1, 1, 2], 5),
        stats.dirichlet_multinomial.logpmf([6, 0], [9, 1], 6),
    )  # nobody was asked about arms of the second: it weighs nothing
    assert found == pytest.approx(-(one + two) / 2, rel=1e-5)


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_the_temperature_undoes_what_concentrations_are_too_sure_by(
    factor: float,
) -> None:
    concentrations, votes = draws(800)
    said = (concentrations * factor).astype(np.float32)

    temperature = dirichlet.fit_temperature(votes, said, TREE)

    assert temperature == pytest.approx(factor, rel=0.15)
    head = VotesHead(TREE)
    np.testing.assert_allclose(
        dirichlet.expected_fractions(head.calibrated(said, temperature), TREE),
        dirichlet.expected_fractions(concentrations, TREE),
        rtol=1e-4,
    )


def test_the_mean_of_views_has_the_mean_fractions() -> None:
    views = np.stack([CONCENTRATIONS, 2 * CONCENTRATIONS[::-1]])

    joined = dirichlet.mean_of_views(views, TREE)

    fractions = [dirichlet.expected_fractions(view, TREE) for view in views]
    np.testing.assert_allclose(
        dirichlet.expected_fractions(joined, TREE), np.mean(fractions, 0), rtol=1e-5
    )
    alone = dirichlet.mean_of_views(views[:1], TREE)
    assert alone.tobytes() == CONCENTRATIONS.tobytes()


def test_ranks_of_votes_agree_with_the_beta_binomial_distribution() -> None:
    num, alpha, beta = 9, 2.0, 5.0
    votes = np.arange(num + 1.0)

    below, upto = dirichlet.ranks_of_votes(
        votes, np.full(10, num), np.full(10, alpha), np.full(10, alpha + beta)
    )

    exact = stats.betabinom(num, alpha, beta)
    np.testing.assert_allclose(upto, exact.cdf(votes), rtol=1e-6)
    np.testing.assert_allclose(upto - below, exact.pmf(votes), rtol=1e-6)


def test_heads_agree_by_how_far_fractions_are_apart() -> None:
    head = VotesHead(TREE)

    assert head.agreement(CONCENTRATIONS, CONCENTRATIONS) == 1
    assert head.agreement(3 * CONCENTRATIONS, CONCENTRATIONS) == pytest.approx(1)
    other = CONCENTRATIONS.copy()
    other[0, :2] = 4, 4  # half of them, not a quarter
    gaps = 2 * 0.25 / (2 + 2 + 3 * 0.75 + 3 * 0.1)
    assert head.agreement(other, CONCENTRATIONS) == pytest.approx(1 - gaps, rel=1e-5)
