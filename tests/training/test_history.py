"""The records of a training: metrics, tables and figures in the model folder."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from galaxy_models.training.history import (
    draw_history,
    fitted_temperature,
    validation_metrics,
    write_history,
    write_predictions,
)
from galaxy_models.training.result import read_shares

ID_18_DIGITS = 587722981736841315
HISTORY = tuple(
    {
        "epoch": epoch,
        "accuracy": 0.5 + epoch / 10,
        "loss": 1 / epoch,
        "val_accuracy": 0.4 + epoch / 10,
        "val_loss": 1.1 / epoch,
        "learning_rate": 5e-4,
        "images_per_s": 100.0,
        "wait_fraction": 0.01,
        "epoch_s": 12.5,
        "unix_s": 1.7e9 + epoch,
    }
    for epoch in (1, 2, 3)
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


def too_sure_predictions() -> pd.DataFrame:
    """Nine of ten galaxies right, of which the network was almost certain."""
    table = predictions(["cigar"] * 9 + ["round"], ["cigar"] * 10)
    table["probability_cigar"] = np.float32(0.999)
    table["probability_round"] = np.float32(0.001)
    return table


def test_the_temperature_makes_a_network_as_sure_as_it_is_right(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        temperature = fitted_temperature(too_sure_predictions(), ("cigar", "round"))

    assert temperature == pytest.approx(np.log(999) / np.log(9), rel=1e-3)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == (
        "temperature 3.143: negative log likelihood 0.3251 a galaxy, before 0.6917 "
        "(10 validation galaxies)"
    )


def test_a_label_that_is_no_class_has_no_part_in_the_temperature() -> None:
    table = too_sure_predictions()
    coarse = table.assign(label="featured")

    both = pd.concat([coarse, table])

    classes = ("cigar", "round")
    assert fitted_temperature(both, classes) == fitted_temperature(table, classes)
    assert fitted_temperature(coarse, classes) == 1


def test_the_order_of_classes_is_the_network_s() -> None:
    table = too_sure_predictions()
    turned = table[table.columns[::-1]]

    classes = ("round", "cigar")
    assert fitted_temperature(turned, classes) == pytest.approx(
        fitted_temperature(table, classes[::-1]), rel=1e-6
    )


def test_predictions_are_written_where_readers_look(tmp_path: Path) -> None:
    table = predictions(["round", "cigar"], ["round", "round"])

    write_predictions(str(tmp_path), table)

    written = pd.read_parquet(tmp_path / "validation_predictions.parquet")
    pd.testing.assert_frame_equal(written, table)
    with Image.open(tmp_path / "confusion_matrix.png") as image:
        assert image.format == "PNG" and min(image.size) > 300


def test_the_history_is_a_table_and_a_picture(tmp_path: Path) -> None:
    write_history(str(tmp_path), HISTORY)
    draw_history(str(tmp_path), HISTORY, "lenet5, 32 px")

    written = pd.read_csv(tmp_path / "history.csv")
    pd.testing.assert_frame_equal(written, pd.DataFrame(HISTORY))
    with Image.open(tmp_path / "history.png") as image:
        assert image.format == "PNG" and min(image.size) > 300


def test_tensorboard_shows_every_epoch_once_however_often_it_was_written(
    tmp_path: Path,
) -> None:
    for num_epochs in (1, 2, 2, 3):  # the second epoch was lost once
        write_history(str(tmp_path), HISTORY[:num_epochs])

    for side, column in (("training", "loss"), ("validation", "val_loss")):
        events = EventAccumulator(str(tmp_path / "tensorboard" / side)).Reload()
        scalars = events.Scalars("loss")
        assert [scalar.step for scalar in scalars] == [1, 2, 3]
        assert [scalar.value for scalar in scalars] == pytest.approx(
            [row[column] for row in HISTORY]
        )
        assert [scalar.wall_time for scalar in scalars] == [
            row["unix_s"] for row in HISTORY
        ]
    assert set(events.Tags()["scalars"]) == {"loss", "accuracy"}


def test_shards_are_joined_in_the_order_of_their_ids(tmp_path: Path) -> None:
    table = predictions(["round"] * 5, ["cigar"] * 5)
    table.iloc[[4, 1]].to_parquet(tmp_path / "validation-00000.parquet")
    table.iloc[[0, 3, 2]].to_parquet(tmp_path / "validation-00001.parquet")
    (tmp_path / "history.csv").write_text("no shard")

    joined = read_shares(tmp_path)

    pd.testing.assert_frame_equal(joined, table)


def test_a_shard_without_galaxies_costs_no_digit_of_the_ids(tmp_path: Path) -> None:
    table = predictions(["round"], ["cigar"])
    table.to_parquet(tmp_path / "validation-00000.parquet")
    pd.DataFrame().to_parquet(tmp_path / "validation-00001.parquet")

    joined = read_shares(tmp_path)

    assert joined["object_id"].tolist() == [ID_18_DIGITS]
    assert joined["object_id"].dtype == np.int64
