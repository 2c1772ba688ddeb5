"""From predictions, and labels if there are any, to a report."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from page import Page
from PIL import Image
from prediction_files import (
    CLASSES,
    FAILED,
    row,
    write_labels,
    write_predictions,
    write_survey_predictions,
)

from galaxy_models.config import EvaluateConfig
from galaxy_models.errors import (
    CatalogError,
    ConfigError,
    OutputError,
    PredictionsError,
)
from galaxy_models.evaluation import Report, evaluate
from galaxy_models.simulation import Survey

Evaluate = Callable[..., Report]

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "report"


@pytest.fixture
def run(report: Path) -> Evaluate:
    """Evaluates predictions into the folder ``report``."""

    def run_it(predictions: Path, **settings: Any) -> Report:
        paths = {"labels", "catalog"} & set(settings)
        settings |= {name: str(settings[name]) for name in paths}
        return evaluate(
            EvaluateConfig(predictions=str(predictions), output=str(report), **settings)
        )

    return run_it


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """Four galaxies of which 3 is a mistake, and a failed one."""
    return write_predictions(
        tmp_path / "predictions",
        {
            1: row("round", 0.9),
            2: row("spiral", 0.6),
            3: row("round", 0.8),
            4: row("edge_on", 0.7),
            5: FAILED,
        },
    )


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    names = {1: "round", 2: "spiral", 3: "spiral", 4: "edge_on", 5: "round"}
    return write_labels(tmp_path / "labels.csv", names)


def metrics_of(report: Path) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    text = (report / "metrics.json").read_text()
    return json.loads(text, parse_constant=refuse)


def page_of(report: Path) -> Page:
    return Page((report / "report.html").read_text())


def test_a_report_has_metrics_figures_and_a_page(
    run: Evaluate, predictions: Path, labels: Path, report: Path
) -> None:
    run(predictions, labels=labels)

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
    for path in report.glob("*.png"):
        assert Image.open(path).size[0] > 300


def test_the_metrics_are_those_of_the_labelled_galaxies(
    run: Evaluate, predictions: Path, labels: Path, report: Path
) -> None:
    outcome = run(predictions, labels=labels)

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
    run: Evaluate, predictions: Path, tmp_path: Path, report: Path
) -> None:
    names = {1: "round", 2: "star", 4: None, 17: "round", 18: "spiral"}
    labels = write_labels(tmp_path / "labels.csv", names)

    run(predictions, labels=labels, exclude_label=("star",))

    labelled = metrics_of(report)["labelled"]
    assert labelled["n"] == 1
    assert labelled["n_labels"] == 3
    assert labelled["n_labels_excluded"] == 1
    assert labelled["n_labels_empty"] == 1
    assert labelled["n_labels_without_prediction"] == 2
    assert labelled["n_predictions_without_label"] == 4


def test_a_class_without_labels_is_null_and_said_so(
    run: Evaluate, predictions: Path, tmp_path: Path, report: Path
) -> None:
    labels = write_labels(tmp_path / "labels.csv", {1: "round", 3: "spiral"})

    run(predictions, labels=labels)

    labelled = metrics_of(report)["labelled"]
    missing = labelled["per_class"]["edge_on"]
    assert missing["support"] == 0
    assert missing["precision"] is missing["recall"] is missing["f1"] is None
    assert labelled["macro_f1"] == pytest.approx((2 / 3 + 0) / 2, abs=1e-6)
    text = page_of(report).text
    assert "No label is of class edge_on" in text
    assert "edge_on 0 0 – – –" in text


def test_labels_coarser_than_the_classes_are_compared_at_their_level(
    run: Evaluate, predictions: Path, tmp_path: Path, report: Path
) -> None:
    names = {1: "disc", 2: "disc", 3: "spiral", 4: "disc"}
    labels = write_labels(tmp_path / "labels.csv", names)

    run(predictions, labels=labels, label_groups=("disc=spiral+edge_on",))

    metrics = metrics_of(report)
    assert metrics["classes"] == ["disc", "round"]
    assert metrics["label_groups"] == {"disc": ["spiral", "edge_on"]}
    assert metrics["labelled"]["confusion_matrix"] == [[2, 2], [0, 0]]
    assert "Label group disc: spiral + edge_on" in page_of(report).text


def test_integer_ids_of_18_digits_keep_every_digit(
    run: Evaluate, labelled: Survey, tmp_path: Path, report: Path
) -> None:
    folder = write_survey_predictions(tmp_path / "predictions", labelled)

    run(folder, labels=labelled.catalog)

    measured = metrics_of(report)["labelled"]
    num_broken = len(labelled.broken_object_ids)
    assert measured["n"] == 120 - num_broken
    assert measured["n_failed"] == num_broken
    num_wrong = math.ceil(120 / 7)
    assert measured["accuracy"] == pytest.approx(1 - num_wrong / 120, abs=0.01)


def test_the_page_shows_the_main_numbers_and_every_figure(
    run: Evaluate, predictions: Path, labels: Path, report: Path
) -> None:
    run(predictions, labels=labels)

    page = page_of(report)
    assert "Accuracy 0.750 95 %: 0.301–0.954" in page.text
    assert "Macro-F1 0.778" in page.text
    assert "spiral 2 1 1.000 0.500 0.667" in page.text
    assert "5 truncated: the file ends early" in page.text
    assert len(page.attributes("img", "src")) == 5
    assert "Confusion matrix" in page.attributes("img", "alt")[0]
    assert page.attributes("th", "scope").count("row") > 10


def test_galleries_show_the_galaxies_of_the_labels_own_images(
    run: Evaluate, labelled: Survey, tmp_path: Path, report: Path
) -> None:
    folder = write_survey_predictions(tmp_path / "predictions", labelled)

    run(folder, labels=labelled.catalog, gallery_size=3)

    page = page_of(report)
    num_galleries = 2 + 5
    jpegs = [s for s in page.attributes("img", "src") if s.startswith("data:image/jp")]
    assert len(jpegs) == 3 * num_galleries
    catalog = pd.read_csv(labelled.catalog)
    for name in ("Worst mistakes", "Least confident", "Most confident: cigar"):
        assert name in page.text
    worst = catalog["object_id"][21]  # a multiple of 7, and 10 beyond one of 11
    assert (
        f"galaxy {worst}, predicted" in page.attributes("img", "alt")[6]
    )  # after 6 figures


def test_the_galleries_images_come_from_a_catalog_where_one_is_named(
    run: Evaluate, labelled: Survey, tmp_path: Path, report: Path
) -> None:
    folder = write_survey_predictions(tmp_path / "predictions", labelled)

    run(folder, catalog=labelled.catalog, gallery_size=1)

    sources = page_of(report).attributes("img", "src")
    assert sum(source.startswith("data:image/jpeg") for source in sources) == 1 + 5


def test_without_images_the_page_says_how_to_get_galleries(
    run: Evaluate, predictions: Path, labels: Path, report: Path
) -> None:
    run(predictions, labels=labels)

    text = page_of(report).text
    assert "name the catalog that was scored with --catalog" in text
    assert "Worst mistakes" not in text


def test_a_broken_image_of_a_gallery_leaves_a_gap(
    run: Evaluate, labelled: Survey, tmp_path: Path, report: Path
) -> None:
    (broken,) = labelled.broken_object_ids
    catalog = pd.read_csv(labelled.catalog)
    good = catalog["object_id"][catalog["object_id"] != broken].iloc[0]
    folder = write_predictions(
        tmp_path / "predictions", {broken: row("round", 0.9), good: row("round", 0.8)}
    )

    run(folder, catalog=labelled.catalog)

    assert page_of(report).texts.count("no image") == 2  # in both its galleries


def test_a_catalog_of_other_galaxies_is_refused(
    run: Evaluate, predictions: Path, labelled: Survey, report: Path
) -> None:
    with pytest.raises(CatalogError, match="none of their ids in column 'object_id'"):
        run(predictions, catalog=labelled.catalog)
    assert not report.exists()


def test_labels_whose_images_are_gone_still_evaluate(
    run: Evaluate,
    predictions: Path,
    tmp_path: Path,
    report: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("object_id,label,image\n1,round,gone.jpg\n2,spiral,gone.jpg\n")

    run(predictions, labels=path)

    assert metrics_of(report)["labelled"]["n"] == 2
    assert "the report has no galleries" in caplog.text


def test_unlabelled_predictions_are_described(
    run: Evaluate, labelled: Survey, tmp_path: Path, report: Path
) -> None:
    folder = write_survey_predictions(tmp_path / "predictions", labelled)

    outcome = run(folder)

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
    run: Evaluate, predictions: Path, report: Path
) -> None:
    run(predictions)

    assert not (report / "sky_map.png").exists()
    assert metrics_of(report)["n_on_sky"] is None


def test_a_scoring_that_has_not_finished_is_said_so(
    run: Evaluate, predictions: Path, report: Path
) -> None:
    (predictions / "_unfinished").write_text("{}")

    run(predictions)

    assert metrics_of(report)["is_unfinished"] is True
    assert "The scoring has not finished" in page_of(report).text


def test_names_and_errors_of_strangers_do_no_harm(
    run: Evaluate, tmp_path: Path, report: Path
) -> None:
    classes = (HOSTILE, "$\\frac{", "b")
    rows: dict[Any, Any] = {
        HOSTILE: row(HOSTILE, 0.9, classes),
        "2": f"missing: {HOSTILE}",
    }
    folder = write_predictions(tmp_path / "predictions", rows, classes)
    labels = write_labels(tmp_path / "labels.csv", {HOSTILE: HOSTILE})

    run(folder, labels=labels)

    page = page_of(report)
    assert "script" not in page.tags
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert f"missing: {HOSTILE}" in page.text
    assert f"No label is of class {classes[1]}" in page.text


def test_the_page_asks_no_network_and_runs_no_script(
    run: Evaluate, labelled: Survey, tmp_path: Path, report: Path
) -> None:
    folder = write_survey_predictions(tmp_path / "predictions", labelled)

    run(folder, labels=labelled.catalog)

    page = page_of(report)
    addresses = page.attributes("img", "src") + page.attributes("a", "href")
    assert addresses
    assert all(address.startswith("data:image/") for address in addresses)
    assert page.tags.isdisjoint({"script", "link", "iframe", "object"})
    assert "url(" not in (report / "report.html").read_text()
    (policy,) = [p for p in page.attributes("meta", "content") if "default-src" in p]
    assert policy.startswith("default-src 'none'")


def test_a_report_is_replaced_only_on_request(
    run: Evaluate, predictions: Path, labels: Path, report: Path
) -> None:
    run(predictions, labels=labels)

    with pytest.raises(OutputError, match="earlier results; .* --overwrite"):
        run(predictions)
    run(predictions, overwrite=True)
    assert metrics_of(report)["labelled"] is None
    assert not (report / "confusion_matrix.png").exists()


def test_a_folder_of_something_else_is_never_replaced(
    run: Evaluate, predictions: Path, report: Path
) -> None:
    report.mkdir()
    for name in ("thesis.tex", "metrics.json"):
        (report / name).write_text("irreplaceable")

    with pytest.raises(OutputError, match="holds something else"):
        run(predictions, overwrite=True)
    assert len(list(report.iterdir())) == 2


def test_the_report_keeps_what_was_asked_for(
    run: Evaluate, predictions: Path, labels: Path, report: Path
) -> None:
    run(predictions, labels=labels, num_bins=10)

    asked = json.loads((report / "_evaluation.json").read_text())
    assert asked["predictions"] == str(predictions)
    assert (asked["labels"], asked["num_bins"]) == (str(labels), 10)


def refused(run: Evaluate, report: Path, *args: Any, **settings: Any) -> str:
    with pytest.raises((ConfigError, PredictionsError)) as caught:
        run(*args, **settings)
    assert not report.exists()
    return str(caught.value)


def test_labels_of_other_galaxies_are_refused(
    run: Evaluate, predictions: Path, tmp_path: Path, report: Path
) -> None:
    labels = write_labels(tmp_path / "labels.csv", {"M31": "spiral", "M33": "spiral"})

    message = refused(run, report, predictions, labels=labels)

    assert "no id of --labels" in message
    assert "(such as M31, M33)" in message
    assert "(such as 1, 2)" in message
    assert "--id-column" in message


def test_labels_of_other_classes_are_refused(
    run: Evaluate, predictions: Path, tmp_path: Path, report: Path
) -> None:
    labels = write_labels(tmp_path / "labels.csv", {1: "elliptical"})

    message = refused(run, report, predictions, labels=labels)

    assert "labels elliptical of" in message
    assert f"({', '.join(CLASSES)})" in message
    assert "--label-groups elliptical=" in message
    assert "--exclude-label elliptical" in message


def test_predictions_that_all_failed_are_refused(
    run: Evaluate, tmp_path: Path, report: Path
) -> None:
    rows = {1: FAILED, 2: FAILED, 3: "missing: no file"}
    folder = write_predictions(tmp_path / "predictions", rows)

    message = refused(run, report, folder)

    assert "all 3 rows of --predictions" in message
    assert "failed (truncated 2, missing 1)" in message


def test_labelled_galaxies_that_all_failed_are_refused(
    run: Evaluate, predictions: Path, tmp_path: Path, report: Path
) -> None:
    labels = write_labels(tmp_path / "labels.csv", {5: "round"})

    message = refused(run, report, predictions, labels=labels)

    assert "all 1 galaxies" in message
    assert "that have a label failed" in message


def test_predictions_without_rows_are_refused(
    run: Evaluate, tmp_path: Path, report: Path
) -> None:
    folder = write_predictions(tmp_path / "predictions", {1: row("round", 0.9)})
    path = folder / "part-000000.parquet"
    pd.read_parquet(path).head(0).to_parquet(path)

    assert "has no rows" in refused(run, report, folder)


def test_readme_names_every_metric(
    run: Evaluate, predictions: Path, labels: Path, report: Path
) -> None:
    run(predictions, labels=labels)

    metrics = metrics_of(report)
    described = {"predictions", "is_unfinished", "classes", "label_groups", "labels"}
    names = {*metrics, *metrics["labelled"]} - described
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert [name for name in names if f"`{name}`" not in readme] == []
