"""Labels are read from any table, checked, and found by the ids of predictions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prediction_files import CLASSES, write_labels

from galaxy_models.config import EvaluateConfig
from galaxy_models.config.label_groups import parse_label_groups
from galaxy_models.errors import CatalogError, ConfigError
from galaxy_models.evaluation.coarse_classes import coarse_classes
from galaxy_models.evaluation.labels import Labels, read_labels
from galaxy_models.tables.id_index import IdIndex

BIG = 587722981742084096  # no float64 holds it and its neighbour apart


def read(path: Path, groups: Sequence[str] = (), **settings: Any) -> Labels:
    config = EvaluateConfig(
        predictions="p", output="o", labels=str(path), label_groups=tuple(groups),
        **settings,
    )  # fmt: skip
    classes = coarse_classes(CLASSES, parse_label_groups(groups))
    return read_labels(config, classes, pa.int64())


def index(ids: Any, type_: pa.DataType) -> IdIndex:
    return IdIndex(pa.chunked_array([ids]), type_)


def test_labels_are_found_by_id(tmp_path: Path) -> None:
    labels = read(write_labels(tmp_path / "a.csv", {BIG: "spiral", BIG + 1: "round"}))

    places = labels.index.find(pa.array([BIG + 1, 7, BIG]))

    assert places.tolist() == [1, -1, 0]
    assert [CLASSES[index] for index in labels.classes] == ["spiral", "round"]


def test_an_empty_text_is_no_label(tmp_path: Path) -> None:
    texts = pa.table({"object_id": [1, 2, 3], "label": ["round", "", "  "]})
    pq.write_table(texts, tmp_path / "a.parquet")

    labels = read(tmp_path / "a.parquet")

    assert (len(labels.classes), labels.num_empty) == (1, 2)


@pytest.mark.parametrize("labels", [[7, 8], ["7", "8"]])
@pytest.mark.parametrize("predictions", [[8, 9], ["8", "9"]])
def test_ids_match_whether_texts_or_integers(
    labels: list[Any], predictions: list[Any]
) -> None:
    ids = pa.array(predictions)

    assert index(pa.array(labels), ids.type).find(ids).tolist() == [1, -1]


def test_texts_that_are_no_plain_integers_match_as_they_are_written() -> None:
    ids = index(pa.array(["007", "8"]), pa.int64())

    assert ids.find(pa.array([7, 8])).tolist() == [-1, 1]


def test_the_usual_other_names_of_columns_are_found(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    pd.DataFrame({"objID": [1], "class": ["round"]}).to_csv(path, index=False)

    assert len(read(path)) == 1


def test_columns_of_pandas_categories_are_labels_too(tmp_path: Path) -> None:
    labels = pd.Categorical(["round", "spiral", "round"])
    pd.DataFrame({"object_id": [1, 2, 3], "label": labels}).to_parquet(
        tmp_path / "a.parquet"
    )

    assert read(tmp_path / "a.parquet").classes.tolist() == [1, 2, 1]


def test_rows_without_a_label_are_counted_and_left_out(tmp_path: Path) -> None:
    labels = read(write_labels(tmp_path / "a.csv", {1: "round", 2: None}))

    assert (len(labels), labels.num_empty, labels.num_excluded) == (1, 1, 0)


def test_labels_are_left_out_on_request(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "a.csv", {1: "round", 2: "merger", 3: "star"})
    labels = read(path, exclude_label=("merger", "star"))

    assert (len(labels), labels.num_empty, labels.num_excluded) == (1, 0, 2)
    assert labels.index.find(pa.array([1, 2, 3])).tolist() == [0, -1, -1]


def test_groups_and_their_classes_are_one_label(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "a.csv", {1: "disc", 2: "spiral", 3: "edge_on"})

    assert set(read(path, ["disc=spiral+edge_on"]).classes) == {0}


def test_labels_that_are_neither_classes_nor_groups_are_refused(
    tmp_path: Path,
) -> None:
    path = write_labels(tmp_path / "a.csv", {1: "round", 2: "merger", 3: "star"})

    with pytest.raises(
        ConfigError,
        match=r"labels merger, star of .*a\.csv are no classes of the predictions "
        r"\(edge_on, round, spiral\); .* --label-groups merger=CLASS\+CLASS, or leave "
        "it out with --exclude-label merger star",
    ):
        read(path)


def test_leaving_out_a_label_that_never_occurs_is_refused(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "a.csv", {1: "round"})

    with pytest.raises(ConfigError, match="--exclude-label mreger: no such label"):
        read(path, exclude_label=("mreger",))


def test_a_galaxy_with_two_labels_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("object_id,label\n1,round\n1,spiral\n")

    with pytest.raises(CatalogError, match="more than once: 1; leave one label"):
        read(path)


def test_a_table_without_any_label_is_refused(tmp_path: Path) -> None:
    path = write_labels(tmp_path / "a.csv", {1: None, 2: "star"})

    with pytest.raises(CatalogError, match="holds no label that is not left out"):
        read(path, exclude_label=("star",))


def test_labels_that_are_not_there_name_their_flag(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="check the path given to --labels"):
        read(tmp_path / "gone.csv")
