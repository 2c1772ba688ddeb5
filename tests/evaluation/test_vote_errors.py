"""Errors of predicted votes, and whether their posterior means what it says."""

import numpy as np
import pytest

from galaxy_models.evaluation.ranks import LEVELS
from galaxy_models.evaluation.votes import measure_fractions, measure_votes
from galaxy_models.tables.vote_tables.decision_tree import make_tree

TREE = make_tree(
    {"shape": {"smooth": None, "disk": "arms"}, "arms": {"yes": None, "no": None}}, "t"
)


def test_errors_weigh_by_those_who_were_asked() -> None:
    votes = np.asarray([[10, 30, 30, 0], [10, 0, 0, 0]], np.float32)
    predicted = np.asarray([[0.5, 0.5, 0.9, 0.1], [0.8, 0.2, 0, 1]], np.float32)

    errors = measure_fractions(votes, predicted, TREE)

    shape, arms = errors.questions
    assert (shape.num_voters, arms.num_voters, arms.num_galaxies) == (50, 30, 1)
    assert shape.error == pytest.approx((40 * 0.25 + 10 * 0.2) / 50)
    assert arms.error == pytest.approx(0.1)  # nobody was asked about the second
    assert errors.total.error == pytest.approx((50 * shape.error + 30 * 0.1) / 80)
    # The mean fraction of smooth is 20 votes of 50.
    assert shape.error_of_mean == pytest.approx((40 * 0.15 + 10 * 0.6) / 50)
    assert shape.rms_error == pytest.approx(
        np.sqrt((40 * 0.25**2 + 10 * 0.2**2) / 50), rel=1e-6
    )


def test_a_question_that_nobody_was_asked_has_no_error() -> None:
    votes = np.asarray([[10, 0, 0, 0]], np.float32)

    errors = measure_fractions(votes, np.full((1, 4), 0.5, np.float32), TREE)

    assert np.isnan(errors.questions[1].error)
    assert errors.total.error == pytest.approx(0.5)
    assert "error_arms" not in errors.summary()


@pytest.mark.parametrize(("factor", "is_calibrated"), [(1, True), (8, False)])
def test_coverage_tells_a_posterior_that_is_too_sure(
    factor: float, is_calibrated: bool
) -> None:
    rng = np.random.default_rng(1)
    concentrations = rng.uniform(1, 6, (600, 4)).astype(np.float32)
    chances = [rng.dirichlet(alphas[:2]) for alphas in concentrations]
    shape = [rng.multinomial(50, p) for p in chances]
    arms = [
        rng.multinomial(num, rng.dirichlet(alphas[2:]))
        for (_, num), alphas in zip(shape, concentrations, strict=True)
    ]
    votes = np.concatenate([shape, arms], axis=1).astype(np.float32)

    posterior = measure_votes(votes, factor * concentrations, TREE).posterior

    assert posterior is not None
    gaps = np.abs(np.subtract(posterior.coverage, LEVELS))
    assert (gaps.max() < 0.04) == is_calibrated
    assert posterior.rank_counts.sum() == pytest.approx(1)
