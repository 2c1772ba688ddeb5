"""A whole training run, as small ones are made: without Ray."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from own_files import files_of_others
from PIL import Image

from galaxy_models.config import TrainConfig
from galaxy_models.errors import CatalogError, OutputError, TrainingError
from galaxy_models.models.calibration import negative_log_likelihood
from galaxy_models.models.folder import load_model, read_card
from galaxy_models.simulation import CLASSES, Survey
from galaxy_models.training import fit
from galaxy_models.training.labels import Labels, label_weights, sides_of
from galaxy_models.training.pipeline import OUTPUT

SmallTraining = Callable[..., TrainConfig]
slow = pytest.mark.slow


def validation_predictions(folder: str) -> tuple[NDArray[np.float32], NDArray[np.int_]]:
    """A model folder's probabilities of its validation galaxies, and their labels."""
    predictions = pd.read_parquet(Path(folder) / "validation_predictions.parquet")
    card = read_card(folder)
    labels = np.array([card.classes.index(name) for name in predictions["label"]])
    columns = [f"probability_{name}" for name in card.classes]
    return predictions[columns].to_numpy(np.float32), labels


@slow
def test_a_model_folder_holds_everything_that_scoring_and_readers_need(
    model_folder: str,
) -> None:
    assert {path.name for path in Path(model_folder).iterdir()} == {
        "model.keras",
        "model_int8.tflite",
        "model_float.tflite",
        "model.json",
        "history.csv",
        "history.png",
        "confusion_matrix.png",
        "embedding.npz",
        "validation_predictions.parquet",
        "tensorboard",
    }
    assert files_of_others(model_folder, OUTPUT) == []
    card = read_card(model_folder)
    assert card.classes == tuple(sorted(CLASSES))
    assert card.decode_rule.image_size == 32
    assert load_model(model_folder).output_shape == (None, len(CLASSES))


@slow
def test_history_has_a_row_for_each_epoch_and_a_picture_of_two_panels(
    model_folder: str,
) -> None:
    history = pd.read_csv(Path(model_folder) / "history.csv")
    assert history["epoch"].tolist() == [1, 2]
    assert np.isfinite(history[["loss", "accuracy", "val_loss", "val_accuracy"]]).all(
        axis=None
    )
    width, height = Image.open(Path(model_folder) / "history.png").size
    assert width > 500 and height > 500


@slow
def test_a_broken_training_image_is_left_out_and_counted(
    model_folder: str, labelled: Survey
) -> None:
    data = read_card(model_folder).data
    assert data["left_out"] == len(labelled.broken_object_ids) == 1
    assert sum(data["training"].values()) + sum(data["validation"].values()) == 120


@slow
def test_validation_predictions_are_the_galaxies_that_the_hash_holds_back(
    model_folder: str, labelled: Survey, small_training: SmallTraining
) -> None:
    predictions = pd.read_parquet(Path(model_folder) / "validation_predictions.parquet")
    catalog = pd.read_csv(labelled.catalog)
    sides = sides_of(
        pa.array(catalog["object_id"]), small_training(labelled, model_folder)
    )
    held_back = catalog["object_id"][sides == "validation"]
    expected = set(held_back) - set(labelled.broken_object_ids)
    assert set(predictions["object_id"]) == expected
    assert predictions["object_id"].is_unique
    accuracy = (predictions["label"] == predictions["predicted_class"]).mean()
    assert read_card(model_folder).metrics["val_accuracy"] == pytest.approx(accuracy)


@slow
def test_the_card_s_temperature_makes_the_validation_labels_no_less_likely(
    model_folder: str,
) -> None:
    raw, labels = validation_predictions(model_folder)
    temperature = read_card(model_folder).temperature

    fitted = negative_log_likelihood(raw, labels, temperature)

    assert temperature != 1
    assert fitted < negative_log_likelihood(raw, labels)


@slow
def test_the_kept_weights_are_those_of_the_best_epoch(model_folder: str) -> None:
    history = pd.read_csv(Path(model_folder) / "history.csv")
    best = history.sort_values("val_loss")["val_accuracy"].iloc[0]
    assert read_card(model_folder).metrics["val_accuracy"] == pytest.approx(
        best, abs=1e-6
    )


@slow
def test_the_last_epoch_is_kept_if_the_best_is_not_to_be_restored(
    labelled: Survey, small_training: SmallTraining, tmp_path: Path
) -> None:
    changes = {"epochs": 60, "early_stopping_patience": 2, "learning_rate": 0.01}
    output = tmp_path / "model"
    fit(small_training(labelled, str(output), restore_best_weights=False, **changes))

    losses = pd.read_csv(output / "history.csv")["val_loss"].tolist()
    raw, labels = validation_predictions(str(output))
    assert losses[-1] > 1.01 * min(losses)
    assert negative_log_likelihood(raw, labels) == pytest.approx(losses[-1], rel=1e-3)


@pytest.fixture(scope="module")
def untaught(
    labelled: Survey,
    small_training: SmallTraining,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A model folder whose steps were too small to change a digit of the loss."""
    output = tmp_path_factory.mktemp("untaught") / "model"
    changes = {
        "epochs": 9,
        "early_stopping_patience": 2,
        "learning_rate": 1e-12,
        "class_weight": "balanced",
        "undo_class_weight": True,
    }
    fit(small_training(labelled, str(output), **changes))
    return output


@slow
def test_training_ends_early_when_it_no_longer_helps(untaught: Path) -> None:
    losses = pd.read_csv(untaught / "history.csv")["val_loss"].tolist()
    assert len(losses) < 9
    assert len(losses) == losses.index(min(losses)) + 1 + 2


@slow
def test_class_weights_are_taken_out_of_the_last_biases(untaught: Path) -> None:
    counts = Counter(read_card(str(untaught)).data["training"])
    weights = label_weights("balanced", Labels({"training": counts}, {}))
    biases = load_model(str(untaught)).get_layer("logits").get_weights()[1]
    np.testing.assert_allclose(biases, -np.log(weights), atol=1e-6)
    assert max(weights) > 1.2 * min(weights)


@slow
def test_a_diverging_loss_ends_the_job_with_epoch_rate_and_remedy(
    labelled: Survey, small_training: SmallTraining, tmp_path: Path
) -> None:
    config = small_training(labelled, str(tmp_path / "model"), learning_rate=1e38)
    with pytest.raises(TrainingError) as caught:
        fit(config)
    told = str(caught.value)
    assert told.startswith("training diverged in epoch 1: the loss is")
    assert "at learning rate 1.0e+38" in told
    assert "lower --learning-rate and --overwrite" in told


@slow
def test_one_class_of_one_example_is_refused_before_anything_is_written(
    labelled: Survey, small_training: SmallTraining, tmp_path: Path
) -> None:
    table = pd.read_csv(labelled.catalog)
    table.loc[0, "label"] = "ring"
    table.to_csv(labelled.catalog.parent / "rare.csv", index=False)
    output = tmp_path / "model"
    config = small_training(
        labelled, str(output), catalog=str(labelled.catalog.parent / "rare.csv")
    )
    with pytest.raises(CatalogError, match=r"fewer than 2 galaxies.*ring"):
        fit(config)
    assert not (output / "model.json").exists()


def test_a_folder_that_holds_something_else_is_refused(
    labelled: Survey, small_training: SmallTraining, tmp_path: Path
) -> None:
    (tmp_path / "thesis.tex").write_text("irreplaceable")
    with pytest.raises(OutputError, match="holds something else"):
        fit(small_training(labelled, str(tmp_path), overwrite=True))
    assert (tmp_path / "thesis.tex").read_text() == "irreplaceable"


@slow
def test_coarse_labels_teach_and_test_galaxies_are_never_seen(
    labelled: Survey, small_training: SmallTraining, tmp_path: Path
) -> None:
    table = pd.read_csv(labelled.catalog)
    table["image"] = [str(labelled.catalog.parent / name) for name in table["image"]]
    is_coarse = table["label"].isin(["round", "cigar"]) & (table.index % 2 == 0)
    table.loc[is_coarse, "label"] = "elliptical"
    table.to_csv(tmp_path / "coarse.csv", index=False)
    output = tmp_path / "model"
    fit(
        small_training(
            labelled,
            str(output),
            catalog=str(tmp_path / "coarse.csv"),
            label_groups=("elliptical=round+cigar",),
            test_fraction=0.3,
        )
    )
    card = read_card(str(output))
    assert card.classes == tuple(sorted(CLASSES))
    assert card.data["training"]["elliptical"] > 0
    of_labels = table.set_index("object_id")["label"]
    unseen = pd.read_parquet(output / "test_labels.parquet").set_index("object_id")
    assert unseen["label"].equals(of_labels[unseen.index])
    assert len(unseen) == sum(card.data["test"].values()) > 20
    predictions = pd.read_parquet(output / "validation_predictions.parquet")
    assert not set(predictions["object_id"]) & set(unseen.index)
    of_classes = predictions[predictions["label"] != "elliptical"]
    assert len(of_classes) < len(predictions)
    accuracy = (of_classes["label"] == of_classes["predicted_class"]).mean()
    assert card.metrics["val_accuracy"] == pytest.approx(accuracy)
    assert card.litert["model_float.tflite"].val_accuracy == pytest.approx(accuracy)


NINETY_TO_TEN = Labels(
    {"training": Counter(round=90, cigar=10), "validation": Counter()}, {}
)


def test_balanced_weights_give_every_class_the_same_sum() -> None:
    cigar, round_ = label_weights("balanced", NINETY_TO_TEN)
    assert cigar * 10 == pytest.approx(round_ * 90)
    assert (cigar * 10 + round_ * 90) / 100 == pytest.approx(1)
    assert label_weights("none", NINETY_TO_TEN) == (1.0, 1.0)


def test_square_root_weights_lie_between_balanced_ones_and_none() -> None:
    cigar, round_ = label_weights("square_root", NINETY_TO_TEN)
    assert cigar / round_ == pytest.approx(9**0.5)
    assert (cigar * 10 + round_ * 90) / 100 == pytest.approx(1)
