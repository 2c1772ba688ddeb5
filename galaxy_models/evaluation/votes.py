"""How well predicted vote fractions agree with votes: by question, weighted by voters.

Pure functions of arrays; this module knows neither files nor pictures.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galaxy_models.evaluation.ranks import LEVELS, NUM_RANK_BINS, Posterior
from galaxy_models.models import dirichlet
from galaxy_models.models.dirichlet import Answers
from galaxy_models.tables.vote_tables.decision_tree import DecisionTree

SMALLEST = 1e-300  # a count's chance that was rounded to 0


@dataclass(frozen=True)
class QuestionErrors:
    """Of one question, or of all together; NaN where nobody was asked."""

    name: str
    num_galaxies: int
    """Galaxies of which somebody answered it."""

    num_voters: float
    """Their votes, in sum."""

    error: float
    """Mean difference of a fraction from the observed one, over answers and galaxies,
    each galaxy weighing by those who were asked, 0 to 1."""

    error_of_mean: float
    """The same if the mean fractions of these galaxies were predicted for each."""

    rms_error: float
    """Root of the mean squared difference, weighted alike."""

    rms_error_of_mean: float
    """The same for the mean fractions."""


@dataclass(frozen=True)
class VoteErrors:
    """Of all questions."""

    questions: tuple[QuestionErrors, ...]
    """In the tree's order."""

    total: QuestionErrors
    posterior: Posterior | None
    """None where concentrations were not predicted."""

    def summary(self) -> dict[str, float]:
        """Give the figures of a model's card."""
        found = {
            "val_fraction_error": self.total.error,
            "val_fraction_error_of_mean": self.total.error_of_mean,
            "val_fraction_rms_error": self.total.rms_error,
            "val_fraction_rms_error_of_mean": self.total.rms_error_of_mean,
            **{f"error_{one.name}": one.error for one in self.questions},
        }
        return {name: value for name, value in found.items() if math.isfinite(value)}


def measure_votes(
    votes: Answers, concentrations: Answers, tree: DecisionTree
) -> VoteErrors:
    """Compare votes with the concentrations that were predicted.

    Args:
        votes: shape (galaxies, answers).
        concentrations: of the same shape.
        tree: the questions.
    """
    fractions = dirichlet.expected_fractions(concentrations, tree)
    errors = measure_fractions(votes, fractions, tree)
    posterior = measure_posterior(votes, concentrations, tree)
    return VoteErrors(errors.questions, errors.total, posterior)


def measure_fractions(
    votes: Answers, fractions: Answers, tree: DecisionTree
) -> VoteErrors:
    """Compare votes with the fractions that were predicted.

    Args:
        votes: shape (galaxies, answers).
        fractions: of the same shape; a question's add up to 1.
        tree: the questions.
    """
    observed = np.nan_to_num(dirichlet.observed_fractions(votes, tree)).astype(float)
    num_asked = dirichlet.per_question(votes, tree).astype(float)
    weights = dirichlet.per_answer(num_asked, tree)
    sums = weights.sum(axis=0)
    mean = np.divide((weights * observed).sum(axis=0), sums, where=sums > 0, out=sums)
    gaps, gaps_of_mean = fractions - observed, mean - observed

    def errors_of(name: str, place: slice, num: int, voters: float) -> QuestionErrors:
        return QuestionErrors(
            name,
            num,
            voters,
            _mean(np.abs(gaps[:, place]), weights[:, place]),
            _mean(np.abs(gaps_of_mean[:, place]), weights[:, place]),
            math.sqrt(_mean(gaps[:, place] ** 2, weights[:, place])),
            math.sqrt(_mean(gaps_of_mean[:, place] ** 2, weights[:, place])),
        )

    questions = tuple(
        errors_of(question.name, place, int((asked > 0).sum()), float(asked.sum()))
        for question, place, asked in zip(
            tree.questions, tree.slices, num_asked.T, strict=True
        )
    )
    total = errors_of("all", slice(None), len(votes), float(num_asked.sum()))
    return VoteErrors(questions, total, None)


def measure_posterior(
    votes: Answers, concentrations: Answers, tree: DecisionTree
) -> Posterior:
    """Find where votes lie in their predicted distributions, weighted by voters."""
    asked = dirichlet.per_answer(dirichlet.per_question(votes, tree), tree)
    sums = dirichlet.per_answer(dirichlet.per_question(concentrations, tree), tree)
    counts, inside, total = np.zeros(NUM_RANK_BINS), np.zeros(len(LEVELS)), 0.0
    for answer in range(votes.shape[1]):
        is_asked = asked[:, answer] >= 1
        weights = asked[is_asked, answer].astype(float)
        low, high = dirichlet.ranks_of_votes(
            votes[is_asked, answer],
            asked[is_asked, answer],
            concentrations[is_asked, answer],
            sums[is_asked, answer],
        )
        for index in range(NUM_RANK_BINS):
            edges = index / NUM_RANK_BINS, (index + 1) / NUM_RANK_BINS
            counts[index] += (weights * _share_between(low, high, *edges)).sum()
        for index, level in enumerate(LEVELS):
            edges = 0.5 - level / 2, 0.5 + level / 2
            inside[index] += (weights * _share_between(low, high, *edges)).sum()
        total += weights.sum()
    total = total or math.nan
    return Posterior(counts / total, tuple((inside / total).tolist()))


def _share_between(
    low: NDArray[np.float64], high: NDArray[np.float64], start: float, end: float
) -> NDArray[np.float64]:
    """Which share of the intervals from ``low`` to ``high`` lies in another one."""
    common = np.minimum(high, end) - np.maximum(low, start)
    return np.asarray(np.maximum(common, 0) / np.maximum(high - low, SMALLEST))


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    total = weights.sum()
    return float((values * weights).sum() / total) if total > 0 else math.nan
