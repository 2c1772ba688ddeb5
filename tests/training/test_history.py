"""The records of a training: metrics, tables and figures in the model folder."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from galaxy_models.training.history import (
    read_shards,
    validation_metrics,
    write_records,
)

ID_18_DIGITS = 587722981736841315
HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2],
        "accuracy": [0.5, 0.7],
        "loss": [1.0, 0.7],
        "val_accuracy": [0.4, 0.6],
        "val_loss": [1.1, 0.8],
        "learning_rate": [5e-4, 5e-4],
    }
)


def predictions(true: list[str], predicted: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "object_id": np.arange(len(true)) + ID_18_DIGITS,
            "label": true,
            "predicted_class": predicted,
            "probability_cigar": np.linspace(0, 1, len(true), dtype=np.float32),
            "probability_round": np.linspace(1, 0, len(true), dtype=np.float32),
        }
    )


def test_accuracy_counts_galaxies_and_balanced_accuracy_counts_classes() -> None:
    table = predictions(
        ["round", "round", "round", "round", "cigar", "cigar"],
        ["round", "round", "round", "cigar", "cigar", "round"],
    )

    assert validation_metrics(table, ("cigar", "round")) == pytest.approx(
        {
            "val_accuracy": 4 / 6,
            "val_balanced_accuracy": (3 / 4 + 1 / 2) / 2,
            "recall_cigar": 1 / 2,
            "recall_round": 3 / 4,
        }
    )


def test_a_class_without_validation_galaxies_has_no_recall() -> None:
    metrics = validation_metrics(
        predictions(["round", "round"], ["round", "cigar"]), ("cigar", "round")
    )

    assert metrics == {
        "val_accuracy": 0.5,
        "val_balanced_accuracy": 0.5,
        "recall_round": 0.5,
    }


def test_records_are_written_where_readers_look(tmp_path: Path) -> None:
    table = predictions(["round", "cigar"], ["round", "round"])

    write_records(str(tmp_path), HISTORY, table, "lenet5, 32 px")

    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "history.csv"), HISTORY)
    written = pd.read_parquet(tmp_path / "validation_predictions.parquet")
    pd.testing.assert_frame_equal(written, table)
    for name in ("history.png", "confusion_matrix.png"):
        with Image.open(tmp_path / name) as image:
            assert image.format == "PNG"
            assert min(image.size) > 300
    assert len(list(tmp_path.iterdir())) == 4


def test_shards_are_joined_in_the_order_of_their_ids(tmp_path: Path) -> None:
    table = predictions(["round"] * 5, ["cigar"] * 5)
    table.iloc[[4, 1]].to_parquet(tmp_path / "validation-00000.parquet")
    table.iloc[[0, 3, 2]].to_parquet(tmp_path / "validation-00001.parquet")
    (tmp_path / "history.csv").write_text("no shard")

    joined = read_shards(str(tmp_path), "validation-*.parquet")

    pd.testing.assert_frame_equal(joined, table)


def test_a_shard_without_galaxies_costs_no_digit_of_the_ids(tmp_path: Path) -> None:
    table = predictions(["round"], ["cigar"])
    table.to_parquet(tmp_path / "validation-00000.parquet")
    pd.DataFrame().to_parquet(tmp_path / "validation-00001.parquet")

    joined = read_shards(str(tmp_path), "validation-*.parquet")

    assert joined["object_id"].tolist() == [ID_18_DIGITS]
    assert joined["object_id"].dtype == np.int64
