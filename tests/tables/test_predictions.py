"""Tables of predictions are checked, and read at the level of coarse classes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prediction_files import CLASSES, FAILED, row, write_predictions

from galaxy_models.errors import CatalogError, PredictionsError
from galaxy_models.evaluation.coarse_classes import coarse_classes
from galaxy_models.evaluation.predictions import PredictionBatch, read_batches
from galaxy_models.tables.prediction_schema import classes_of, predictions_schema
from galaxy_models.tables.predictions import Predictions, open_predictions

FINE = coarse_classes(CLASSES, {})


def opened(uri: object) -> Predictions:
    return open_predictions(str(uri), "--predictions")


def read(folder: Path, classes: object = FINE) -> PredictionBatch:
    (batch,) = read_batches(
        opened(folder),
        classes,  # type: ignore[arg-type]
    )
    return batch


def changed(folder: Path, name: str, values: list[object]) -> Path:
    path = folder / "part-000000.parquet"
    table = pq.read_table(path)
    index = table.schema.get_field_index(name)
    type_ = table.schema.field(name).type
    table = table.set_column(index, name, pa.array(values, type_))
    pq.write_table(table, path)
    return folder


def test_a_row_has_its_most_probable_class_and_that_ones_probability(
    tmp_path: Path,
) -> None:
    batch = read(write_predictions(tmp_path, {1: row("round", 0.75)}))

    assert CLASSES[batch.predicted[0]] == "round"
    assert batch.confidence[0] == 0.75


def test_the_spread_of_averaged_views_is_no_class(tmp_path: Path) -> None:
    folder = write_predictions(tmp_path, {1: row("round", 0.75)})
    path = folder / "part-000000.parquet"
    table = pq.read_table(path)
    table = table.append_column("probability_spread", pa.array([0.5], pa.float32()))
    pq.write_table(table, path)

    assert opened(folder).classes == CLASSES
    assert read(folder).confidence[0] == 0.75


def test_a_class_may_be_called_spread() -> None:
    classes = ("round", "spread")
    assert classes_of(predictions_schema(pa.int64(), (), classes)) == classes
    averaged = predictions_schema(pa.int64(), (), CLASSES, spread=True)
    assert classes_of(averaged) == CLASSES


def test_a_failed_row_has_no_class(tmp_path: Path) -> None:
    batch = read(write_predictions(tmp_path, {1: FAILED, 2: row("spiral", 0.5)}))

    assert batch.is_ok.tolist() == [False, True]
    assert batch.predicted.tolist() == [-1, 2]
    assert np.isnan(batch.confidence[0])


def test_coarse_classes_decide_after_adding_up(tmp_path: Path) -> None:
    folder = write_predictions(tmp_path, {1: [0.4, 0.35, 0.25]})
    classes = coarse_classes(CLASSES, {"face_on": ("round", "spiral")})

    batch = read(folder, classes)

    assert classes.names[batch.predicted[0]] == "face_on"
    assert batch.confidence[0] == pytest.approx(0.6)


def test_a_kept_column_may_be_called_like_a_probability(tmp_path: Path) -> None:
    folder = write_predictions(tmp_path, {1: row("round", 0.9)}, probability_star=[0.1])

    assert opened(folder).classes == CLASSES


def test_a_pattern_of_files_will_do(tmp_path: Path) -> None:
    write_predictions(tmp_path / "a", {1: row("round", 0.9)})

    assert opened(f"{tmp_path}/*/part-*.parquet").classes == CLASSES


def test_an_unfinished_scoring_is_known_as_such(tmp_path: Path) -> None:
    folder = write_predictions(tmp_path, {1: row("round", 0.9)})
    assert not opened(folder).is_unfinished

    (folder / "_unfinished").write_text("{}")
    assert opened(folder).is_unfinished


@pytest.mark.parametrize("name", ["part-*.parquet", "part-000000.parquet"])
def test_an_unfinished_scoring_is_known_by_its_files_too(
    tmp_path: Path, name: str
) -> None:
    folder = write_predictions(tmp_path / "a", {1: row("round", 0.9)})
    assert not opened(folder / name).is_unfinished

    (folder / "_unfinished").write_text("{}")
    assert opened(folder / name).is_unfinished
    assert opened(f"{tmp_path}/*/{name}").is_unfinished


def test_predictions_that_are_not_there_name_their_flag(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="check the path given to --predictions"):
        opened(tmp_path / "gone")


def test_another_table_is_refused_by_its_columns(tmp_path: Path) -> None:
    pq.write_table(pa.table({"object_id": [1], "ra": [1.0]}), tmp_path / "a.parquet")

    with pytest.raises(PredictionsError, match="no column confidence, status, error"):
        opened(tmp_path)


def test_a_table_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("object_id,confidence\n1,0.5\n")

    with pytest.raises(PredictionsError, match=r"a\.csv holds no Parquet files"):
        opened(path)


def test_predictions_without_probabilities_are_refused(tmp_path: Path) -> None:
    folder = write_predictions(tmp_path, {1: [1.0]}, ("round",))

    with pytest.raises(PredictionsError, match=r"has 1 column\(s\) probability_"):
        opened(folder)


@pytest.mark.parametrize("value", [None, float("nan"), -0.5, 0.9])
def test_probabilities_that_are_none_are_refused(
    tmp_path: Path, value: float | None
) -> None:
    folder = write_predictions(tmp_path, {1: row("round", 0.9), 2: FAILED})
    changed(folder, "probability_spiral", [value, None])

    with pytest.raises(PredictionsError, match="status is ok but whose probabilities"):
        read(folder)


def test_8_bit_probabilities_of_many_classes_need_not_add_up_to_1(
    tmp_path: Path,
) -> None:
    classes = [f"class {number}" for number in range(40)]
    rounded_down = [0.0] * 39 + [0.9]
    folder = write_predictions(tmp_path, {1: rounded_down}, classes)

    batch = read(folder, coarse_classes(classes, {}))

    assert batch.predicted.tolist() == [39]


def test_a_null_id_is_refused(tmp_path: Path) -> None:
    folder = write_predictions(tmp_path, {1: row("round", 0.9), 2: FAILED})

    with pytest.raises(PredictionsError, match="'object_id' of .* is null"):
        read(changed(folder, "object_id", [1, None]))
