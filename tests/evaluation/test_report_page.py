"""A page that shows galaxies, does no harm, and needs nothing but itself."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from prediction_files import (
    row,
    write_labels,
    write_predictions,
    write_survey_predictions,
)
from report_files import Evaluate, metrics_of, page_of

from galaxy_models.simulation import Survey

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def test_the_page_shows_the_main_numbers_and_every_figure(
    run_evaluate: Evaluate, predictions: Path, labels: Path, report: Path
) -> None:
    run_evaluate(predictions, labels=labels)

    page = page_of(report)
    assert "Accuracy 0.750 95 %: 0.301–0.954" in page.text
    assert "Macro-F1 0.778" in page.text
    assert "spiral 2 1 1.000 0.500 0.667" in page.text
    assert "5 truncated: the file ends early" in page.text
    assert len(page.attributes("img", "src")) == 5
    assert "Confusion matrix" in page.attributes("img", "alt")[0]
    assert page.attributes("th", "scope").count("row") > 10


def test_galleries_show_the_galaxies_of_the_labels_own_images(
    run_evaluate: Evaluate, labelled: Survey, tmp_path: Path, report: Path
) -> None:
    folder = write_survey_predictions(tmp_path / "predictions", labelled)

    run_evaluate(folder, labels=labelled.catalog, gallery_size=3)

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
    run_evaluate: Evaluate, labelled: Survey, tmp_path: Path, report: Path
) -> None:
    folder = write_survey_predictions(tmp_path / "predictions", labelled)

    run_evaluate(folder, catalog=labelled.catalog, gallery_size=1)

    sources = page_of(report).attributes("img", "src")
    assert sum(source.startswith("data:image/jpeg") for source in sources) == 1 + 5


def test_without_images_the_page_says_how_to_get_galleries(
    run_evaluate: Evaluate, predictions: Path, labels: Path, report: Path
) -> None:
    run_evaluate(predictions, labels=labels)

    text = page_of(report).text
    assert "name the catalog that was scored with --catalog" in text
    assert "Worst mistakes" not in text


def test_a_broken_image_of_a_gallery_leaves_a_gap(
    run_evaluate: Evaluate, labelled: Survey, tmp_path: Path, report: Path
) -> None:
    (broken,) = labelled.broken_object_ids
    catalog = pd.read_csv(labelled.catalog)
    good = catalog["object_id"][catalog["object_id"] != broken].iloc[0]
    folder = write_predictions(
        tmp_path / "predictions", {broken: row("round", 0.9), good: row("round", 0.8)}
    )

    run_evaluate(folder, catalog=labelled.catalog)

    assert page_of(report).texts.count("no image") == 2  # in both its galleries


def test_labels_whose_images_are_gone_still_evaluate(
    run_evaluate: Evaluate,
    predictions: Path,
    tmp_path: Path,
    report: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("object_id,label,image\n1,round,gone.jpg\n2,spiral,gone.jpg\n")

    run_evaluate(predictions, labels=path)

    assert metrics_of(report)["labelled"]["n"] == 2
    assert "the report has no galleries" in caplog.text


def test_names_and_errors_of_strangers_do_no_harm(
    run_evaluate: Evaluate, tmp_path: Path, report: Path
) -> None:
    classes = (HOSTILE, "$\\frac{", "b")
    rows: dict[Any, Any] = {
        HOSTILE: row(HOSTILE, 0.9, classes),
        "2": f"missing: {HOSTILE}",
    }
    folder = write_predictions(tmp_path / "predictions", rows, classes)
    labels = write_labels(tmp_path / "labels.csv", {HOSTILE: HOSTILE})

    run_evaluate(folder, labels=labels)

    page = page_of(report)
    assert "script" not in page.tags
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert f"missing: {HOSTILE}" in page.text
    assert f"No label is of class {classes[1]}" in page.text


def test_the_page_asks_no_network_and_runs_no_script(
    run_evaluate: Evaluate, labelled: Survey, tmp_path: Path, report: Path
) -> None:
    folder = write_survey_predictions(tmp_path / "predictions", labelled)

    run_evaluate(folder, labels=labelled.catalog)

    page = page_of(report)
    addresses = page.attributes("img", "src") + page.attributes("a", "href")
    assert addresses
    assert all(address.startswith("data:image/") for address in addresses)
    assert page.tags.isdisjoint({"script", "link", "iframe", "object"})
    assert "url(" not in (report / "report.html").read_text()
    (policy,) = [p for p in page.attributes("meta", "content") if "default-src" in p]
    assert policy.startswith("default-src 'none'")
