"""What no report can be made of is refused, and no folder of others is replaced."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from prediction_files import CLASSES, FAILED, row, write_labels, write_predictions
from report_files import Evaluate

from galaxy_models.errors import (
    CatalogError,
    ConfigError,
    OutputError,
    PredictionsError,
)
from galaxy_models.simulation import Survey


def test_a_catalog_of_other_galaxies_is_refused(
    run_evaluate: Evaluate, predictions: Path, labelled: Survey, report: Path
) -> None:
    with pytest.raises(CatalogError, match="none of their ids in column 'object_id'"):
        run_evaluate(predictions, catalog=labelled.catalog)
    assert not report.exists()


def test_a_folder_of_something_else_is_never_replaced(
    run_evaluate: Evaluate, predictions: Path, report: Path
) -> None:
    report.mkdir()
    for name in ("thesis.tex", "metrics.json"):
        (report / name).write_text("irreplaceable")

    with pytest.raises(OutputError, match="holds something else"):
        run_evaluate(predictions, overwrite=True)
    assert len(list(report.iterdir())) == 2


def refused(run_evaluate: Evaluate, report: Path, *args: Any, **settings: Any) -> str:
    with pytest.raises((ConfigError, PredictionsError)) as caught:
        run_evaluate(*args, **settings)
    assert not report.exists()
    return str(caught.value)


def test_labels_of_other_galaxies_are_refused(
    run_evaluate: Evaluate, predictions: Path, tmp_path: Path, report: Path
) -> None:
    labels = write_labels(tmp_path / "labels.csv", {"M31": "spiral", "M33": "spiral"})

    message = refused(run_evaluate, report, predictions, labels=labels)

    assert "no id of --labels" in message
    assert "(such as M31, M33)" in message
    assert "(such as 1, 2)" in message
    assert "--id-column" in message


def test_labels_of_other_classes_are_refused(
    run_evaluate: Evaluate, predictions: Path, tmp_path: Path, report: Path
) -> None:
    labels = write_labels(tmp_path / "labels.csv", {1: "elliptical"})

    message = refused(run_evaluate, report, predictions, labels=labels)

    assert "labels elliptical of" in message
    assert f"({', '.join(CLASSES)})" in message
    assert "--label-groups elliptical=" in message
    assert "--exclude-label elliptical" in message


def test_predictions_that_all_failed_are_refused(
    run_evaluate: Evaluate, tmp_path: Path, report: Path
) -> None:
    rows = {1: FAILED, 2: FAILED, 3: "missing: no file"}
    folder = write_predictions(tmp_path / "predictions", rows)

    message = refused(run_evaluate, report, folder)

    assert "all 3 rows of --predictions" in message
    assert "failed (truncated 2, missing 1)" in message


def test_labelled_galaxies_that_all_failed_are_refused(
    run_evaluate: Evaluate, predictions: Path, tmp_path: Path, report: Path
) -> None:
    labels = write_labels(tmp_path / "labels.csv", {5: "round"})

    message = refused(run_evaluate, report, predictions, labels=labels)

    assert "all 1 galaxies" in message
    assert "that have a label failed" in message


def test_predictions_without_rows_are_refused(
    run_evaluate: Evaluate, tmp_path: Path, report: Path
) -> None:
    folder = write_predictions(tmp_path / "predictions", {1: row("round", 0.9)})
    path = folder / "part-000000.parquet"
    pd.read_parquet(path).head(0).to_parquet(path)

    assert "has no rows" in refused(run_evaluate, report, folder)
