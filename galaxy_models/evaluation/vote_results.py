"""What a comparison of votes says: for ``metrics.json``, and for the report's page.

Knows numbers and words; it computes nothing and reads no files.
"""

import math
from collections.abc import Iterator
from typing import Any

from galaxy_models.evaluation.number_texts import count, percent, plain, share
from galaxy_models.evaluation.ranks import Posterior
from galaxy_models.evaluation.vote_join import VotesPart
from galaxy_models.evaluation.votes import QuestionErrors


def votes_record(part: VotesPart) -> dict[str, Any]:
    """Lay out the part of ``metrics.json``; null where it is not a number."""
    errors = part.errors
    record: dict[str, Any] = {
        "labels": part.labels.uri,
        "n": part.num,
        "n_failed": part.num_failed,
        "n_labels": len(part.labels),
        **_figures(errors.total),
        "questions": {one.name: _figures(one) for one in errors.questions},
        "coverage": None,
    }
    if errors.posterior is not None:
        record["coverage"] = coverage_record(errors.posterior)
    return record


def coverage_record(posterior: Posterior) -> dict[str, Any]:
    """Give the shares inside central intervals, by their level."""
    return {
        f"{level:g}": plain(inside) for level, inside in posterior.by_level().items()
    }


def _figures(errors: QuestionErrors) -> dict[str, Any]:
    return {
        "n_galaxies": errors.num_galaxies,
        "voters": plain(errors.num_voters),
        "error": plain(errors.error),
        "error_of_mean": plain(errors.error_of_mean),
        "rms_error": plain(errors.rms_error),
        "rms_error_of_mean": plain(errors.rms_error_of_mean),
    }


def vote_facts(part: VotesPart) -> list[tuple[str, str, str]]:
    """Give the page's key facts: name, value, and what more there is to say."""
    total, posterior = part.errors.total, part.errors.posterior
    ratio = total.error / total.error_of_mean if total.error_of_mean else math.nan
    facts = [
        ("Error of a fraction", share(total.error), "weighted by voters"),
        ("Of the mean's", f"{ratio:.2f}", "error over that of predicting the mean"),
    ]
    if posterior is not None:
        inside = percent(posterior.by_level()[0.9])
        facts.append(("Inside 90 %", inside, "votes in central intervals"))
    return [*facts, ("Compared", count(part.num), "galaxies with votes")]


def vote_tables(part: VotesPart) -> Iterator[dict[str, Any]]:
    """Give the page's tables."""
    yield {
        "caption": "Question by question, weighted by voters",
        "columns": (
            "question", "galaxies", "error", "of the mean", "RMS", "RMS of the mean",
        ),
        "rows": [_row(one) for one in (*part.errors.questions, part.errors.total)],
    }  # fmt: skip
    if part.errors.posterior is not None:
        inside = part.errors.posterior.by_level().items()
        yield {
            "caption": "Votes inside the central intervals of the posterior",
            "columns": ("interval", "votes inside"),
            "rows": [(f"{level:.0%}", percent(one)) for level, one in inside],
        }


def _row(errors: QuestionErrors) -> tuple[str, ...]:
    figures = (
        errors.error, errors.error_of_mean, errors.rms_error, errors.rms_error_of_mean,
    )  # fmt: skip
    return errors.name, count(errors.num_galaxies), *map(share, figures)
