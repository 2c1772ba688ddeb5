"""The result of an evaluation: one dataclass, and its JSON.

This module knows neither files nor pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from galaxy_models.config.label_groups import LabelGroups
from galaxy_models.evaluation.agreement import Agreement, PlausibleSets
from galaxy_models.evaluation.findings import RowsRead
from galaxy_models.evaluation.gallery_rows import GalleryRows
from galaxy_models.evaluation.labels import Labels
from galaxy_models.evaluation.number_texts import plain
from galaxy_models.evaluation.tally import Tally
from galaxy_models.evaluation.vote_join import VotesPart
from galaxy_models.evaluation.vote_results import votes_record


@dataclass(frozen=True)
class LabelledPart:
    """The predictions of galaxies that have a label."""

    labels: Labels
    agreement: Agreement
    num_found: int
    """Labels that have a prediction, failed ones included."""

    num_failed: int
    """Those of them whose image failed."""


@dataclass(frozen=True)
class Evaluation:
    """All of it."""

    read: RowsRead
    classes: tuple[str, ...]
    """The coarse ones, in their order; indices mean these."""

    groups: LabelGroups
    tally: Tally
    rows: GalleryRows
    labelled: LabelledPart | None
    votes: VotesPart | None = None
    """Where votes were predicted, and ``--labels`` has some."""

    @property
    def missing_classes(self) -> list[str]:
        """Classes that no label is of."""
        if self.labelled is None:
            return []
        support = self.labelled.agreement.confusion.sum(axis=1)
        return [
            name for name, num in zip(self.classes, support, strict=True) if not num
        ]


def rows_record(read: RowsRead) -> dict[str, Any]:
    """Lay out what ``metrics.json`` says of the rows, whatever was predicted."""
    return {
        "predictions": read.predictions.uri,
        "is_unfinished": read.predictions.is_unfinished,
        "n_predictions": read.tally.num_rows,
        "n_failed": read.tally.num_failed,
        "failed_reasons": dict(read.tally.failed.most_common()),
        "n_on_sky": read.sky.num_positions if read.sky else None,
    }


def metrics_record(evaluation: Evaluation) -> dict[str, Any]:
    """Lay out ``metrics.json``: every number, null where it is not a number."""
    tally, labelled = evaluation.tally, evaluation.labelled
    by_class = zip(evaluation.classes, tally.confidence_counts.tolist(), strict=True)
    record: dict[str, Any] = {
        **rows_record(evaluation.read),
        "classes": list(evaluation.classes),
        "label_groups": {name: list(some) for name, some in evaluation.groups.items()},
        "class_counts": dict(
            zip(evaluation.classes, tally.class_counts, strict=True),
        ),
        "confidence_histogram": {
            "edges": plain(tally.confidence_edges),
            "counts": dict(by_class),
        },
        "labelled": None,
    }
    if evaluation.votes is not None:
        record["votes"] = votes_record(evaluation.votes)
    if labelled is not None:
        record["labelled"] = {
            **_label_counts(labelled, tally.num_rows),
            **_agreement_record(labelled.agreement, evaluation.classes),
        }
    return record


def _label_counts(labelled: LabelledPart, num_predictions: int) -> dict[str, Any]:
    labels = labelled.labels
    return {
        "labels": labels.uri,
        "n": labelled.agreement.num,
        "n_failed": labelled.num_failed,
        "n_labels": len(labels),
        "n_labels_excluded": labels.num_excluded,
        "n_labels_empty": labels.num_empty,
        "n_labels_without_prediction": len(labels) - labelled.num_found,
        "n_predictions_without_label": num_predictions - labelled.num_found,
    }


def _agreement_record(agreement: Agreement, classes: Sequence[str]) -> dict[str, Any]:
    scores, bins, curve = agreement.classes, agreement.reliability, agreement.coverage
    confusion = agreement.confusion
    support, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    return {
        "accuracy": plain(agreement.accuracy),
        "accuracy_interval_95": plain(agreement.accuracy_interval),
        "balanced_accuracy": plain(agreement.balanced_accuracy),
        "macro_f1": plain(agreement.macro_f1),
        "expected_calibration_error": plain(agreement.expected_calibration_error),
        "brier_score": plain(agreement.brier_score),
        "negative_log_likelihood": plain(agreement.negative_log_likelihood),
        "per_class": {
            name: {
                "support": int(support[index]),
                "predicted": int(predicted[index]),
                "precision": plain(scores.precision[index]),
                "recall": plain(scores.recall[index]),
                "f1": plain(scores.f1[index]),
            }
            for index, name in enumerate(classes)
        },
        "confusion_matrix": confusion.tolist(),
        "reliability": {
            "edges": plain(bins.edges),
            "n": bins.counts.tolist(),
            "confidence": plain(bins.confidence),
            "accuracy": plain(bins.accuracy),
        },
        "coverage": {
            "coverage": plain(curve.coverage),
            "accuracy": plain(curve.accuracy),
            "threshold": plain(curve.threshold),
        },
        "plausible_classes": _sets_record(agreement.plausible),
    }


def _sets_record(sets: PlausibleSets | None) -> dict[str, Any] | None:
    if sets is None:
        return None
    return {
        "coverage": plain(sets.coverage),
        "coverage_interval_95": plain(sets.coverage_interval),
        "mean_size": plain(sets.mean_size),
    }
