"""Vote fractions and thresholds -> labels: the clean sample. Knows arrays only."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from galaxy_models.config import VotesConfig
from galaxy_models.tables.vote_tables.surveys import Survey

UNCERTAIN, AMBIGUOUS = -1, -2  # in place of a class: none fits, or several do


def clean_classes(
    survey: Survey,
    fractions: Mapping[str, NDArray[np.float64]],
    num_votes: Mapping[str, NDArray[np.float64]],
    config: VotesConfig,
) -> NDArray[np.int64]:
    """Find the class of each galaxy whose votes are clear.

    Args:
        survey: what its classes need.
        fractions: vote fractions by answer, 0 to 1, each of shape (galaxies,); NaN
            where nobody was asked.
        num_votes: votes of the question by answer, of the same shape; questions
            without them pass.
        config: the thresholds.

    Returns:
        int64, shape (galaxies,): index of the class in the survey's order, or
        ``UNCERTAIN`` or ``AMBIGUOUS``.
    """
    members = []
    for answers in survey.classes.values():
        is_member = np.ones(len(fractions[answers[0]]), bool)
        for answer in answers:
            threshold = getattr(config, survey.min_fractions[answer])
            is_member &= fractions[answer] >= threshold  # NaN is not
        if answers[-1] in num_votes:
            is_member &= num_votes[answers[-1]] >= config.min_votes
        members.append(is_member)
    table = np.stack(members)
    classes = np.where(table.any(axis=0), table.argmax(axis=0), UNCERTAIN)
    return np.where(table.sum(axis=0) > 1, AMBIGUOUS, classes)
