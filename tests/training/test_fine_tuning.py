"""Training that starts from a trained model: other classes, larger images."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from galaxy_models.config import TrainConfig
from galaxy_models.errors import ConfigError, ModelFolderError
from galaxy_models.models.folder import load_model, read_card
from galaxy_models.models.heads import HEAD_NAME, ClassesHead
from galaxy_models.simulation import Survey
from galaxy_models.training import fit
from galaxy_models.training.fine_tuning import find_starting_point

SmallTraining = Callable[..., TrainConfig]


def coarse(labelled: Survey, path: Path) -> str:
    """Write the labelled catalog with other classes."""
    table = pd.read_csv(labelled.catalog)
    table["image"] = [str(labelled.catalog.parent / name) for name in table["image"]]
    is_featured = table["label"].isin(["spiral", "edge_on"])
    table["label"] = np.where(is_featured, "featured", "smooth")
    table.to_csv(path, index=False)
    return str(path)


@pytest.mark.slow
def test_at_first_only_a_new_last_layer_learns(
    model_folder: str,
    labelled: Survey,
    small_training: SmallTraining,
    tmp_path: Path,
) -> None:
    fit(
        small_training(
            labelled,
            str(tmp_path / "model"),
            catalog=coarse(labelled, tmp_path / "coarse.csv"),
            start_from=model_folder,
            epochs=2,
            head_epochs=2,
            moved_fraction=0,
            horizontal_flip=False,
            vertical_flip=False,
        )
    )
    card = read_card(str(tmp_path / "model"))
    assert card.classes == ("featured", "smooth")
    assert card.data["start_from"] == read_card(model_folder).model_hash
    history = pd.read_csv(tmp_path / "model" / "history.csv")
    assert history["learning_rate"].tolist() == [0.001, 0.001]
    assert history["loss"].iloc[1] < history["loss"].iloc[0]  # convex: no luck needed
    old, new = load_model(model_folder), load_model(str(tmp_path / "model"))
    for layer in old.layers:
        if layer.name != HEAD_NAME:
            for mine, theirs in zip(
                layer.get_weights(),
                new.get_layer(layer.name).get_weights(),
                strict=True,
            ):
                np.testing.assert_array_equal(mine, theirs)


@pytest.mark.slow
def test_with_the_same_classes_training_goes_on_where_the_model_stands(
    model_folder: str,
    labelled: Survey,
    small_training: SmallTraining,
    tmp_path: Path,
) -> None:
    changes = {"start_from": model_folder, "epochs": 1, "learning_rate": 1e-9}
    fit(small_training(labelled, str(tmp_path / "model"), **changes))
    (loss,) = pd.read_csv(tmp_path / "model" / "history.csv")["val_loss"]
    before = pd.read_csv(Path(model_folder) / "history.csv")["val_loss"].min()
    assert loss == pytest.approx(before, rel=1e-4)


@pytest.mark.slow
def test_after_the_head_all_layers_learn_at_their_own_rate(
    model_folder: str,
    labelled: Survey,
    small_training: SmallTraining,
    tmp_path: Path,
) -> None:
    changes = {
        "catalog": coarse(labelled, tmp_path / "coarse.csv"),
        "start_from": model_folder,
        "epochs": 2,
        "head_epochs": 1,
        "head_learning_rate": 1e-9,  # so that the second epoch is the better one
    }
    fit(small_training(labelled, str(tmp_path / "m"), **changes))
    rates = pd.read_csv(tmp_path / "m" / "history.csv")["learning_rate"]
    assert rates.tolist() == pytest.approx([1e-9, 5e-4])
    old, new = (
        load_model(str(folder)).get_layer("conv_1").get_weights()
        for folder in (model_folder, tmp_path / "m")
    )
    assert (old[0] != new[0]).any()


@pytest.mark.slow
def test_the_model_to_start_from_is_never_overwritten(
    model_folder: str, labelled: Survey, small_training: SmallTraining, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    before = {path: path.read_bytes() for path in folder.glob("*.*")}
    config = small_training(
        labelled, str(folder), start_from=str(folder), overwrite=True
    )
    with pytest.raises(ConfigError, match="--start-from .* would be emptied"):
        fit(config)
    assert {path: path.read_bytes() for path in folder.glob("*.*")} == before


def test_layers_that_begin_at_random_for_want_of_a_flag_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = TrainConfig(
        catalog="c",
        output="o",
        start_from="galaxy-zoo-small",
        network="mobilenet_v2_paper",
        alpha=0.35,
    )
    with caplog.at_level(logging.INFO):
        find_starting_point(config, ClassesHead(("a", "b")))
    assert "--hidden-units is 1000, that of galaxy-zoo-small 0" in caplog.text


def test_no_model_to_start_from_is_refused(tmp_path: Path) -> None:
    config = TrainConfig(catalog="c", output="o", start_from=str(tmp_path / "none"))
    with pytest.raises(ModelFolderError, match="no model folder at"):
        find_starting_point(config, ClassesHead(("a", "b")))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {},
            "--network mobilenet_v1 --image-size 224: .* another kind; "
            "give --network lenet5 --image-size 32",
        ),
        ({"network": "lenet5"}, "--image-size 224: .* give --image-size 32"),
    ],
)
def test_a_model_of_another_shape_is_refused(
    flags: dict[str, str], message: str, model_folder: str
) -> None:
    config = TrainConfig(catalog="c", output="o", start_from=model_folder, **flags)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=message):
        find_starting_point(config, ClassesHead(("a", "b")))
