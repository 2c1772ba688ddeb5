"""From predictions, and labels if there are any, to a report."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from own_files import files_of_others
from PIL import Image
from prediction_files import write_labels, write_survey_predictions
from report_files import Evaluate, metrics_of, page_of

from galaxy_models.errors import OutputError
from galaxy_models.evaluation.report_files import OUTPUT
from galaxy_models.simulation import Survey


def test_a_report_has_metrics_figures_and_a_page(
    run_evaluate: Evaluate, predictions: Path, labels: Path, report: Path
) -> None:
    run_evaluate(predictions, labels=labels)

    assert {path.name for path in report.iterdir()} == {
        "_evaluation.json",
        "metrics.json",
        "report.html",
        "confusion_matrix.png",
        "reliability.png",
        "accuracy_coverage.png",
        "class_counts.png",
        "confidence.png",
    }
    assert files_of_others(report, OUTPUT) == []
    for path in report.glob("*.png"):
        assert Image.open(path).size[0] > 300


def test_the_metrics_are_those_of_the_labelled_galaxies(
    run_evaluate: Evaluate, predictions: Path, labels: Path, report: Path
) -> None:
    outcome = run_evaluate(predictions, labels=labels)

    metrics = metrics_of(report)
    assert (metrics["n_predictions"], metrics["n_failed"]) == (5, 1)
    assert metrics["failed_reasons"] == {"truncated": 1}
    assert metrics["class_counts"] == {"edge_on": 1, "round": 2, "spiral": 1}
    labelled = metrics["labelled"]
    assert (labelled["n"], labelled["n_failed"]) == (4, 1)
    assert labelled["accuracy"] == 0.75
    assert labelled["accuracy_interval_95"] == pytest.approx([0.3006, 0.9544], abs=1e-4)
    assert labelled["macro_f1"] == pytest.approx((1 + 2 / 3 + 2 / 3) / 3, abs=1e-6)
    assert labelled["per_class"]["spiral"] == {
        "support": 2,
        "predicted": 1,
        "precision": 1,
        "recall": 0.5,
        "f1": 0.666667,
    }
    assert labelled["confusion_matrix"] == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert labelled["coverage"]["coverage"] == [0.25, 0.5, 0.75, 1]
    assert labelled["coverage"]["accuracy"][:2] == [1, 0.5]
    assert sum(labelled["reliability"]["n"]) == 4
    assert len(labelled["reliability"]["n"]) == 15
    gaps = 0.1 + 0.4 + 0.8 + 0.3  # each galaxy in a bin of its own
    assert labelled["expected_calibration_error"] == pytest.approx(gaps / 4, abs=1e-5)
    assert outcome.agreement is not None
    assert outcome.agreement.accuracy == 0.75


def test_galaxies_without_a_partner_are_counted(
    run_evaluate: Evaluate, predictions: Path, tmp_path: Path, report: Path
) -> None:
    names = {1: "round", 2: "star", 4: None, 17: "round", 18: "spiral"}
    labels = write_labels(tmp_path / "labels.csv", names)

    run_evaluate(predictions, labels=labels, exclude_label=("star",))

    labelled = metrics_of(report)["labelled"]
    assert labelled["n"] == 1
    assert labelled["n_labels"] == 3
    assert labelled["n_labels_excluded"] == 1
    assert labelled["n_labels_empty"] == 1
    assert labelled["n_labels_without_prediction"] == 2
    assert labelled["n_predictions_without_label"] == 4


def test_a_class_without_labels_is_null_and_said_so(
    run_evaluate: Evaluate, predictions: Path, tmp_path: Path, report: Path
) -> None:
    labels = write_labels(tmp_path / "labels.csv", {1: "round", 3: "spiral"})

    run_evaluate(predictions, labels=labels)

    labelled = metrics_of(report)["labelled"]
    missing = labelled["per_class"]["edge_on"]
    assert missing["support"] == 0
    assert missing["precision"] is missing["recall"] is missing["f1"] is None
    assert labelled["macro_f1"] == pytest.approx((2 / 3 + 0) / 2, abs=1e-6)
    text = page_of(report).text
    assert "No label is of class edge_on" in text
    assert "edge_on 0 0 – – –" in text


def test_labels_coarser_than_the_classes_are_compared_at_their_level(
    run_evaluate: Evaluate, predictions: Path, tmp_path: Path, report: Path
) -> None:
    names = {1: "disc", 2: "disc", 3: "spiral", 4: "disc"}
    labels = write_labels(tmp_path / "labels.csv", names)

    run_evaluate(predictions, labels=labels, label_groups=("disc=spiral+edge_on",))

    metrics = metrics_of(report)
    assert metrics["classes"] == ["disc", "round"]
    assert metrics["label_groups"] == {"disc": ["spiral", "edge_on"]}
    assert metrics["labelled"]["confusion_matrix"] == [[2, 2], [0, 0]]
    assert "Label group disc: spiral + edge_on" in page_of(report).text


def test_integer_ids_of_18_digits_keep_every_digit(
    run_evaluate: Evaluate, labelled: Survey, tmp_path: Path, report: Path
) -> None:
    folder = write_survey_predictions(tmp_path / "predictions", labelled)

    run_evaluate(folder, labels=labelled.catalog)

    measured = metrics_of(report)["labelled"]
    num_broken = len(labelled.broken_object_ids)
    assert measured["n"] == 120 - num_broken
    assert measured["n_failed"] == num_broken
    num_wrong = math.ceil(120 / 7)
    assert measured["accuracy"] == pytest.approx(1 - num_wrong / 120, abs=0.01)


def test_unlabelled_predictions_are_described(
    run_evaluate: Evaluate, labelled: Survey, tmp_path: Path, report: Path
) -> None:
    folder = write_survey_predictions(tmp_path / "predictions", labelled)

    outcome = run_evaluate(folder)

    metrics = metrics_of(report)
    assert outcome.agreement is metrics["labelled"] is None
    assert sum(metrics["class_counts"].values()) == 119
    histogram = np.array(list(metrics["confidence_histogram"]["counts"].values()))
    assert histogram.sum() == 119
    assert len(metrics["confidence_histogram"]["edges"]) == histogram.shape[1] + 1
    assert metrics["n_on_sky"] == 120
    names = {path.name for path in report.glob("*.png")}
    assert names == {"class_counts.png", "confidence.png", "sky_map.png"}
    text = page_of(report).text
    assert "which nobody has labelled" in text
    assert "120 rows" in text
    assert "Accuracy" not in text


def test_positions_decide_whether_there_is_a_sky_map(
    run_evaluate: Evaluate, predictions: Path, report: Path
) -> None:
    run_evaluate(predictions)

    assert not (report / "sky_map.png").exists()
    assert metrics_of(report)["n_on_sky"] is None


def test_a_scoring_that_has_not_finished_is_said_so(
    run_evaluate: Evaluate, predictions: Path, report: Path
) -> None:
    (predictions / "_unfinished").write_text("{}")

    run_evaluate(predictions)

    assert metrics_of(report)["is_unfinished"] is True
    assert "The scoring has not finished" in page_of(report).text


def test_a_report_is_replaced_only_on_request(
    run_evaluate: Evaluate, predictions: Path, labels: Path, report: Path
) -> None:
    run_evaluate(predictions, labels=labels)

    with pytest.raises(OutputError, match="earlier results; .* --overwrite"):
        run_evaluate(predictions)
    run_evaluate(predictions, overwrite=True)
    assert metrics_of(report)["labelled"] is None
    assert not (report / "confusion_matrix.png").exists()


def test_the_report_keeps_what_was_asked_for(
    run_evaluate: Evaluate, predictions: Path, labels: Path, report: Path
) -> None:
    run_evaluate(predictions, labels=labels, num_bins=10)

    asked = json.loads((report / "_evaluation.json").read_text())
    assert asked["predictions"] == str(predictions)
    assert (asked["labels"], asked["num_bins"]) == (str(labels), 10)


def test_the_reference_names_every_metric(
    run_evaluate: Evaluate, predictions: Path, labels: Path, report: Path
) -> None:
    run_evaluate(predictions, labels=labels)

    metrics = metrics_of(report)
    names = {*metrics, *metrics["labelled"]}
    readme = (Path(__file__).parents[2] / "jobs" / "README.md").read_text()
    assert [name for name in names if f"`{name}`" not in readme] == []
