"""The report's page: one HTML file that needs neither network nor scripts.

Class names, ids and errors are a stranger's: the template escapes all of them. This
module lays out what ``results`` holds; it computes nothing and reads no files.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from galaxy_models.evaluation.agreement import Agreement
from galaxy_models.evaluation.cutouts import Cutouts, data_uri
from galaxy_models.evaluation.gallery_rows import ShownGalaxy, TopRows
from galaxy_models.evaluation.html_page import SHARED, render
from galaxy_models.evaluation.results import Evaluation, LabelledPart
from galaxy_models.evaluation.vote_results import vote_facts, vote_tables
from galaxy_models.evaluation.wording import (
    LABELLED_TERMS,
    PLOT_TEXTS,
    TERMS,
    VOTE_TERMS,
)

TEMPLATE_NAME = "report.html.jinja"
NOT_A_NUMBER = "–"
NO_GALLERIES = (
    "No galaxies are shown, because nothing names their images: name the catalog that "
    "was scored with --catalog (and --image-root, where its paths need one)."
)


def report_page(
    evaluation: Evaluation, plots: Mapping[str, bytes], cutouts: Cutouts
) -> str:
    """Write the page.

    Args:
        evaluation: what was found.
        plots: PNG bytes by name, in the order in which they are shown.
        cutouts: images of the galaxies to show; without any there are no galleries.
    """
    tally = evaluation.tally
    return render(
        SHARED,
        TEMPLATE_NAME,
        title=_title(evaluation),
        lead=_lead(evaluation),
        key_facts=_key_facts(evaluation),
        notes=list(_notes(evaluation)),
        tables=list(_tables(evaluation)),
        plots=[
            {"src": data_uri(png, "image/png"), "alt": PLOT_TEXTS[name]}
            for name, png in plots.items()
        ],
        galleries=_galleries(evaluation, cutouts) if cutouts else [],
        no_galleries=NO_GALLERIES,
        failed=evaluation.rows.failed,
        failed_lead=f"{_count(tally.num_failed)} of {_count(tally.num_rows)} rows have "
        f"no prediction: {_listed(tally.failed.most_common())}.",
        terms=_terms(evaluation),
    )


def _title(evaluation: Evaluation) -> str:
    if evaluation.votes is not None:
        return "Predicted votes against votes"
    return "Predictions against labels" if evaluation.labelled else "Predictions"


def _terms(evaluation: Evaluation) -> Sequence[tuple[str, str]]:
    if evaluation.votes is not None:
        return [*VOTE_TERMS, TERMS[-1]]
    return [*LABELLED_TERMS, *TERMS] if evaluation.labelled else TERMS


def _lead(evaluation: Evaluation) -> str:
    lead = f"Predictions of {evaluation.predictions.uri}"
    if evaluation.votes is not None:
        return f"{lead}, compared with the votes of {evaluation.votes.labels.uri}"
    if evaluation.labelled is None:
        return f"{lead}, which nobody has labelled"
    return f"{lead}, compared with the labels of {evaluation.labelled.labels.uri}"


def _key_facts(evaluation: Evaluation) -> list[dict[str, str]]:
    tally, facts = evaluation.tally, []
    if evaluation.votes is not None:
        facts += vote_facts(evaluation.votes)
    if evaluation.labelled is not None:
        agreement = evaluation.labelled.agreement
        low, high = agreement.accuracy_interval
        facts += [
            ("Accuracy", _share(agreement.accuracy), f"95 %: {low:.3f}–{high:.3f}"),
            ("Macro-F1", _share(agreement.macro_f1), "mean over classes"),
            (
                "Calibration error",
                _share(agreement.expected_calibration_error),
                "0 is calibrated",
            ),
            ("Compared", _count(agreement.num), "labelled galaxies"),
        ]
    failed = tally.num_failed / tally.num_rows
    facts += [
        ("Predictions", _count(tally.num_rows), "rows"),
        ("Failed", _count(tally.num_failed), f"{failed:.2%} of the rows"),
    ]
    if evaluation.labelled is None:
        classes = zip(tally.class_counts, evaluation.classes, strict=True)
        count, name = max(classes, key=lambda pair: pair[0])
        share = count / max(sum(tally.class_counts), 1)
        facts.append(("Most common class", name, f"{share:.1%} of what did not fail"))
    return [dict(zip(("name", "value", "more"), fact, strict=True)) for fact in facts]


def _notes(evaluation: Evaluation) -> Iterable[str]:
    if evaluation.predictions.is_unfinished:
        yield "The scoring has not finished: this is about its first rows only."
    for name in evaluation.missing_classes:
        yield (
            f"No label is of class {name}: its precision, recall and F1 are not "
            "defined, and the means are over the other classes."
        )
    for label, classes in evaluation.groups.items():
        yield f"Label group {label}: {' + '.join(classes)}, probabilities added up."
    if evaluation.sky is not None and evaluation.sky.num_without:
        num = evaluation.sky.num_without
        yield f"{_count(num)} rows have no position and are not on the sky map."


def _tables(evaluation: Evaluation) -> Iterable[dict[str, Any]]:
    if evaluation.votes is not None:
        yield from vote_tables(evaluation.votes)
    if evaluation.labelled is None:
        yield _class_table(evaluation)
        return
    yield _score_table(evaluation, evaluation.labelled)
    agreement = evaluation.labelled.agreement
    yield {
        "caption": "All classes together",
        "columns": ("metric", "value"),
        "rows": [
            ("accuracy", _share(agreement.accuracy)),
            ("balanced accuracy", _share(agreement.balanced_accuracy)),
            ("macro-F1", _share(agreement.macro_f1)),
            (
                "expected calibration error",
                _share(agreement.expected_calibration_error),
            ),
            ("Brier score (0 to 2)", _share(agreement.brier_score)),
            (
                "negative log likelihood (nats)",
                _share(agreement.negative_log_likelihood),
            ),
            *_set_rows(agreement),
        ],
    }
    yield _match_table(evaluation, evaluation.labelled)


def _set_rows(agreement: Agreement) -> Iterable[tuple[str, str]]:
    if agreement.plausible is not None:
        low, high = agreement.plausible.coverage_interval
        covered = f"{_share(agreement.plausible.coverage)} ({low:.3f}–{high:.3f})"
        yield "label among the plausible classes", covered
        yield "plausible classes of a galaxy", f"{agreement.plausible.mean_size:.2f}"


def _class_table(evaluation: Evaluation) -> dict[str, Any]:
    counts = evaluation.tally.class_counts
    total = max(sum(counts), 1)
    return {
        "caption": "Predicted classes",
        "columns": ("class", "galaxies", "share"),
        "rows": [
            (name, _count(count), f"{count / total:.2%}")
            for name, count in zip(evaluation.classes, counts, strict=True)
        ],
    }


def _score_table(evaluation: Evaluation, labelled: LabelledPart) -> dict[str, Any]:
    agreement = labelled.agreement
    scores, confusion = agreement.classes, agreement.confusion
    columns = zip(
        evaluation.classes,
        map(_count, confusion.sum(axis=1)),
        map(_count, confusion.sum(axis=0)),
        map(_share, scores.precision),
        map(_share, scores.recall),
        map(_share, scores.f1),
        strict=True,
    )
    return {
        "caption": "Class by class",
        "columns": ("class", "labelled", "predicted", "precision", "recall", "F1"),
        "rows": list(columns),
    }


def _match_table(evaluation: Evaluation, labelled: LabelledPart) -> dict[str, Any]:
    labels, num_rows = labelled.labels, evaluation.tally.num_rows
    rows = (
        ("compared", labelled.agreement.num),
        ("have a label, but their image failed", labelled.num_failed),
        ("labels without a prediction", len(labels) - labelled.num_found),
        ("predictions without a label", num_rows - labelled.num_found),
        ("labels left out with --exclude-label", labels.num_excluded),
        ("rows of the table of labels without any", labels.num_empty),
    )
    return {
        "caption": "Which galaxies were compared",
        "columns": ("", "galaxies"),
        "rows": [(name, _count(num)) for name, num in rows],
    }


def _galleries(evaluation: Evaluation, cutouts: Cutouts) -> list[dict[str, Any]]:
    rows, classes = evaluation.rows, evaluation.classes
    titled: list[tuple[str, str, TopRows]] = []
    if evaluation.labelled is not None:
        titled.append(
            (
                "Worst mistakes",
                "most confident where the label is another class",
                rows.worst_mistakes,
            )
        )
    titled.append(
        (
            "Least confident",
            "no class is much more probable than another",
            rows.least_confident,
        )
    )
    titled.append(
        (
            "Least familiar",
            "look like no training galaxy: stars, trails, error frames, or news",
            rows.least_familiar,
        )
    )
    titled += [
        (f"Most confident: {name}", "", top)
        for name, top in zip(classes, rows.most_confident, strict=True)
    ]
    return [
        {
            "title": title,
            "explanation": explanation,
            "tiles": [_tile(galaxy, classes, cutouts) for galaxy in top.galaxies],
        }
        for title, explanation, top in titled
        if top.galaxies
    ]


def _tile(
    galaxy: ShownGalaxy, classes: Sequence[str], cutouts: Cutouts
) -> dict[str, Any]:
    predicted = classes[galaxy.predicted]
    return {
        "src": cutouts.get(galaxy.object_id),
        "alt": f"galaxy {galaxy.object_id}, predicted {predicted}",
        "caption": f"{predicted} {galaxy.confidence:.2f}",
        "label": None if galaxy.label is None else classes[galaxy.label],
        "is_wrong": galaxy.label is not None and galaxy.label != galaxy.predicted,
        "object_id": galaxy.object_id,
    }


def _count(number: int) -> str:
    return f"{int(number):,}"


def _share(value: float) -> str:
    return NOT_A_NUMBER if math.isnan(value) else f"{value:.3f}"


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {_count(num)}" for name, num in counts)
