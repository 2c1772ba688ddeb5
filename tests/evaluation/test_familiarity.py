"""The report shows the least familiar galaxies, if predictions say which they are."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from page import Page
from PIL import Image
from prediction_files import CLASSES, FAILED, row, write_labels, write_predictions
from report_files import Evaluate

from galaxy_models.tables.prediction_schema import predictions_schema

FAMILIARITY = np.array([0.9, 0.0, 0.4, 0.001, np.nan], np.float32)


@pytest.fixture
def familiar(tmp_path: Path) -> Path:
    """Predictions of galaxies 1 to 5; 2 and 4 are the least familiar, 5 failed."""
    rows = {number: row("round", 0.9) for number in range(1, 5)}
    folder = write_predictions(tmp_path / "predictions", {**rows, 5: FAILED})
    (path,) = folder.glob("*.parquet")
    table = pq.read_table(path)
    values = pa.array(FAMILIARITY, from_pandas=True)
    columns = [*table.columns[:-2], values, *table.columns[-2:]]
    schema = predictions_schema(pa.int64(), (), CLASSES, familiarity=True)
    pq.write_table(pa.table(columns, schema=schema), path)
    return folder


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    Image.new("RGB", (32, 32)).save(tmp_path / "one.jpg")
    path = tmp_path / "catalog.csv"
    lines = [f"{number},one.jpg" for number in range(1, 6)]
    path.write_text("\n".join(["object_id,image", *lines]) + "\n")
    return path


def test_the_report_shows_the_least_familiar_first(
    familiar: Path, catalog: Path, run_evaluate: Evaluate
) -> None:
    report = run_evaluate(familiar, catalog=catalog, gallery_size=2)
    text = Page(Path(report.page).read_text()).text
    _, _, after = text.partition("Least familiar")
    shown, _, _ = after.partition("Most confident")
    assert shown.split()[-3:] == ["round", "0.90", "4"]
    assert shown.index(" 2 ") < shown.rindex(" 4")
    assert " 1 " not in shown.replace("0.90", "")


def test_predictions_without_the_column_have_no_such_gallery(
    predictions: Path, catalog: Path, run_evaluate: Evaluate
) -> None:
    report = run_evaluate(predictions, catalog=catalog)
    assert "Least familiar" not in Path(report.page).read_text()


def test_a_kept_column_of_that_name_is_not_taken_for_it(
    tmp_path: Path, catalog: Path, run_evaluate: Evaluate
) -> None:
    rows = {number: row("round", 0.9) for number in range(1, 5)}
    folder = write_predictions(
        tmp_path / "kept", rows, familiarity=["a", "b", "c", "d"]
    )
    labels = write_labels(tmp_path / "labels.csv", dict.fromkeys(rows, "round"))
    report = run_evaluate(folder, catalog=catalog, labels=labels)
    assert "Least familiar" not in Path(report.page).read_text()
