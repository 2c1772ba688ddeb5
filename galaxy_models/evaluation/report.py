"""The words of the report on classes and votes.

This module words what ``results`` holds; it computes nothing and reads no files.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from galaxy_models.evaluation.agreement import Agreement
from galaxy_models.evaluation.cutouts import Cutouts
from galaxy_models.evaluation.gallery_rows import ShownGalaxy, TopRows
from galaxy_models.evaluation.layout import Fact, Plot, prediction_page
from galaxy_models.evaluation.number_texts import count, share
from galaxy_models.evaluation.results import Evaluation, LabelledPart
from galaxy_models.evaluation.vote_results import vote_facts, vote_tables
from galaxy_models.evaluation.wording import LABELLED_TERMS, TERMS, VOTE_TERMS


def report_page(evaluation: Evaluation, plots: Sequence[Plot], cutouts: Cutouts) -> str:
    """Write the page.

    Args:
        evaluation: what was found.
        plots: in the order in which they are shown.
        cutouts: images of the galaxies to show; without any there are no galleries.
    """
    return prediction_page(
        evaluation.read,
        title=_title(evaluation),
        lead=_lead(evaluation),
        facts=list(_facts(evaluation)),
        notes=_notes(evaluation),
        tables=_tables(evaluation),
        plots=plots,
        galleries=_galleries(evaluation, cutouts) if cutouts else [],
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
    if evaluation.votes is not None:
        return f"compared with the votes of {evaluation.votes.labels.uri}"
    if evaluation.labelled is None:
        return "which nobody has labelled"
    return f"compared with the labels of {evaluation.labelled.labels.uri}"


def _facts(evaluation: Evaluation) -> Iterable[Fact]:
    tally = evaluation.tally
    if evaluation.votes is not None:
        yield from map(Fact._make, vote_facts(evaluation.votes))
    if evaluation.labelled is not None:
        agreement = evaluation.labelled.agreement
        error = agreement.expected_calibration_error
        low, high = agreement.accuracy_interval
        yield Fact("Accuracy", share(agreement.accuracy), f"95 %: {low:.3f}–{high:.3f}")
        yield Fact("Macro-F1", share(agreement.macro_f1), "mean over classes")
        yield Fact("Calibration error", share(error), "0 is calibrated")
        yield Fact("Compared", count(agreement.num), "labelled galaxies")
        return
    classes = zip(tally.class_counts, evaluation.classes, strict=True)
    num, name = max(classes, key=lambda pair: pair[0])
    part = num / max(sum(tally.class_counts), 1)
    yield Fact("Most common class", name, f"{part:.1%} of what did not fail")


def _notes(evaluation: Evaluation) -> Iterable[str]:
    for name in evaluation.missing_classes:
        yield (
            f"No label is of class {name}: its precision, recall and F1 are not "
            "defined, and the means are over the other classes."
        )
    for label, classes in evaluation.groups.items():
        yield f"Label group {label}: {' + '.join(classes)}, probabilities added up."


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
            ("accuracy", share(agreement.accuracy)),
            ("balanced accuracy", share(agreement.balanced_accuracy)),
            ("macro-F1", share(agreement.macro_f1)),
            (
                "expected calibration error",
                share(agreement.expected_calibration_error),
            ),
            ("Brier score (0 to 2)", share(agreement.brier_score)),
            (
                "negative log likelihood (nats)",
                share(agreement.negative_log_likelihood),
            ),
            *_set_rows(agreement),
        ],
    }
    yield _match_table(evaluation, evaluation.labelled)


def _set_rows(agreement: Agreement) -> Iterable[tuple[str, str]]:
    if agreement.plausible is not None:
        low, high = agreement.plausible.coverage_interval
        covered = f"{share(agreement.plausible.coverage)} ({low:.3f}–{high:.3f})"
        yield "label among the plausible classes", covered
        yield "plausible classes of a galaxy", f"{agreement.plausible.mean_size:.2f}"


def _class_table(evaluation: Evaluation) -> dict[str, Any]:
    counts = evaluation.tally.class_counts
    total = max(sum(counts), 1)
    return {
        "caption": "Predicted classes",
        "columns": ("class", "galaxies", "share"),
        "rows": [
            (name, count(num), f"{num / total:.2%}")
            for name, num in zip(evaluation.classes, counts, strict=True)
        ],
    }


def _score_table(evaluation: Evaluation, labelled: LabelledPart) -> dict[str, Any]:
    agreement = labelled.agreement
    scores, confusion = agreement.classes, agreement.confusion
    columns = zip(
        evaluation.classes,
        map(count, confusion.sum(axis=1)),
        map(count, confusion.sum(axis=0)),
        map(share, scores.precision),
        map(share, scores.recall),
        map(share, scores.f1),
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
        "rows": [(name, count(num)) for name, num in rows],
    }


def _galleries(evaluation: Evaluation, cutouts: Cutouts) -> list[dict[str, Any]]:
    rows, classes = evaluation.rows, evaluation.classes
    titled: list[tuple[str, str, TopRows[ShownGalaxy]]] = []
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
