"""Volunteers' answers as draws: one Dirichlet-multinomial distribution a question.

A galaxy has, for every question, unknown chances of its answers; what a network says of
them is a Dirichlet distribution, whose concentrations are at once expected fractions
and how sure of them it is. Votes are draws with these chances. A question that nobody
was asked has likelihood 1, so it weighs nothing.

Knows arrays only. Rows are galaxies; columns are the answers of a tree.

Source:
    Walmsley et al. 2022, MNRAS 509, 3966, section 5.1.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from galaxy_models.tables.vote_tables.decision_tree import DecisionTree

Answers = NDArray[np.float32]
"""Shape (galaxies, answers)."""

TEMPERATURE_BOUNDS = (0.05, 20.0)


def expected_fractions(concentrations: Answers, tree: DecisionTree) -> Answers:
    """Divide concentrations by their sum over each question's answers.

    Returns:
        float32, shape (galaxies, answers); a question's sum to 1.
    """
    fractions = np.empty_like(concentrations)
    for place in tree.slices:
        of_question = concentrations[:, place]
        fractions[:, place] = of_question / of_question.sum(axis=1, keepdims=True)
    return fractions


def asked_fractions(fractions: Answers, tree: DecisionTree) -> Answers:
    """Follow the tree: which share of the volunteers comes to each question.

    Args:
        fractions: of the answers, shape (galaxies, answers).
        tree: which answers lead to which questions.

    Returns:
        float32, shape (galaxies, questions), 0 to 1; 1 for a question that no answer
        leads to.
    """
    asked = np.ones((len(fractions), len(tree.questions)), fractions.dtype)
    reached = np.zeros_like(fractions)  # share of the volunteers that gives the answer
    for index, (place, before) in enumerate(
        zip(tree.slices, tree.asked_after, strict=True)
    ):
        if before:
            asked[:, index] = reached[:, list(before)].sum(axis=1)
        reached[:, place] = asked[:, index, None] * fractions[:, place]
    return asked


def per_answer(of_questions: NDArray[Any], tree: DecisionTree) -> NDArray[Any]:
    """Repeat what is known of each question for each of its answers."""
    repeats = [len(question.answers) for question in tree.questions]
    return np.repeat(of_questions, repeats, axis=1)


def per_question(of_answers: NDArray[Any], tree: DecisionTree) -> NDArray[Any]:
    """Add up over the answers of each question: shape (galaxies, questions)."""
    starts = [place.start for place in tree.slices]
    return np.asarray(np.add.reduceat(of_answers, starts, axis=1))


def observed_fractions(votes: Answers, tree: DecisionTree) -> Answers:
    """Divide votes by those of their question; NaN where nobody was asked."""
    num_asked = per_answer(per_question(votes, tree), tree)
    fractions = np.full(votes.shape, np.nan, np.float32)
    np.divide(votes, num_asked, where=num_asked > 0, out=fractions)
    return fractions


def mean_of_views(views: NDArray[np.float32], tree: DecisionTree) -> Answers:
    """Join what a network says of several views of each galaxy.

    Args:
        views: concentrations, shape (views, galaxies, answers).
        tree: the questions.

    Returns:
        Concentrations, shape (galaxies, answers), whose expected fractions are the mean
        of the views' and whose sum is the mean of theirs; of one view, its very bits.
    """
    if len(views) == 1:
        return np.asarray(views[0])
    fractions = np.mean([expected_fractions(one, tree) for one in views], axis=0)
    sums = np.mean([per_question(one, tree) for one in views], axis=0)
    joined = fractions * per_answer(sums, tree)
    return np.asarray(joined, np.float32)


def negative_log_likelihood(
    votes: Answers, concentrations: Answers, tree: DecisionTree
) -> float:
    """Average a galaxy's surprise at its votes, in nats, over all questions.

    Args:
        votes: for each answer, 0 or more, whole or not; shape (galaxies, answers).
        concentrations: above 0, of the same shape.
        tree: the questions.
    """
    from scipy.special import gammaln  # here: scoring never needs it

    votes, concentrations = votes.astype(float), concentrations.astype(float)
    num_asked = per_question(votes, tree)
    sums = per_question(concentrations, tree)
    of_questions = gammaln(sums) - gammaln(num_asked + sums) + gammaln(num_asked + 1)
    of_answers = (
        gammaln(votes + concentrations) - gammaln(concentrations) - gammaln(votes + 1)
    )
    logs = of_questions.sum(axis=1) + of_answers.sum(axis=1)
    return float(-logs.mean())


def fit_temperature(
    votes: Answers, concentrations: Answers, tree: DecisionTree
) -> float:
    """Find what concentrations must be divided by for the votes to be most likely.

    Expected fractions stay; only how sure the network is of them changes.

    Returns:
        Within ``TEMPERATURE_BOUNDS``; above 1 for a network that is too sure.
    """
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(
            votes, (concentrations / np.exp(log_t)).astype(np.float32), tree
        ),
        bounds=np.log(TEMPERATURE_BOUNDS),
        method="bounded",
        options={"xatol": 1e-3},
    )
    return float(np.exp(found.x))


def ranks_of_votes(
    votes: NDArray[np.floating],
    num_asked: NDArray[np.floating],
    concentration: NDArray[np.floating],
    sums: NDArray[np.floating],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where each count lies in the distribution that was predicted for it.

    A count has a chance of its own, so it has no single rank, but all from the chance
    of a smaller count to that of one that is no larger. Of a posterior that means what
    it says, these intervals together cover 0 to 1 evenly.

    Args:
        votes: for an answer, of any shape (galaxies,); rounded to whole ones.
        num_asked: votes of the question, of the same shape.
        concentration: of the answer.
        sums: of all answers of the question.

    Returns:
        Both ends, float64, shape (galaxies,), 0 to 1.

    Source:
        Czado et al. 2009, Biometrics 65, 1254 (ranks of counts).
    """
    from scipy.special import betaln, gammaln

    num = np.rint(num_asked).astype(int)
    given = np.clip(np.rint(votes).astype(int), 0, num)
    counts = np.arange(num.max(initial=0) + 1)
    n, a = num[:, None].astype(float), concentration[:, None].astype(float)
    b = np.maximum(sums[:, None].astype(float) - a, 1e-6)
    k = np.minimum(counts, num[:, None])
    logs = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    logs += betaln(k + a, n - k + b) - betaln(a, b)
    chances = np.where(counts <= num[:, None], np.exp(logs), 0.0)
    below = (chances * (counts < given[:, None])).sum(axis=1)
    own = np.take_along_axis(chances, given[:, None], axis=1)[:, 0]
    return below, below + own
