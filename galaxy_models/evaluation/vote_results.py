"""What a comparison of votes says: for ``metrics.json``, and for the report's page.

Knows numbers and words; it computes nothing and reads no files.
"""

import math
from collections.abc import Iterator
from typing import Any

from galaxy_models.evaluation.vote_join import VotesPart
from galaxy_models.evaluation.votes import LEVELS, QuestionErrors


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
        inside = zip(LEVELS, errors.posterior.coverage, strict=True)
        record["coverage"] = {f"{level:g}": _plain(share) for level, share in inside}
    return record


def _figures(errors: QuestionErrors) -> dict[str, Any]:
    return {
        "n_galaxies": errors.num_galaxies,
        "voters": _plain(errors.num_voters),
        "error": _plain(errors.error),
        "error_of_mean": _plain(errors.error_of_mean),
        "rms_error": _plain(errors.rms_error),
        "rms_error_of_mean": _plain(errors.rms_error_of_mean),
    }


def _plain(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def vote_facts(part: VotesPart) -> list[tuple[str, str, str]]:
    """Give the page's key facts: name, value, and what more there is to say."""
    total, posterior = part.errors.total, part.errors.posterior
    ratio = total.error / total.error_of_mean if total.error_of_mean else math.nan
    facts = [
        ("Error of a fraction", f"{total.error:.3f}", "weighted by voters"),
        ("Of the mean's", f"{ratio:.2f}", "error over that of predicting the mean"),
    ]
    if posterior is not None:
        level = LEVELS.index(0.9)
        share = posterior.coverage[level]
        facts.append(("Inside 90 %", f"{share:.1%}", "votes in central intervals"))
    return [*facts, ("Compared", f"{part.num:,}", "galaxies with votes")]


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
        inside = zip(LEVELS, part.errors.posterior.coverage, strict=True)
        yield {
            "caption": "Votes inside the central intervals of the posterior",
            "columns": ("interval", "votes inside"),
            "rows": [(f"{level:.0%}", f"{share:.1%}") for level, share in inside],
        }


def _row(errors: QuestionErrors) -> tuple[str, ...]:
    figures = (
        errors.error, errors.error_of_mean, errors.rms_error, errors.rms_error_of_mean,
    )  # fmt: skip
    shown = ("–" if math.isnan(one) else f"{one:.3f}" for one in figures)
    return errors.name, f"{errors.num_galaxies:,}", *shown
