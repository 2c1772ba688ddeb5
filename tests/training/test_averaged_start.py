"""Training that starts from the mean of several models' weights."""

import dataclasses
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galaxy_models.config import TrainConfig
from galaxy_models.errors import ConfigError
from galaxy_models.models.card import MODEL_NAME, hash_model
from galaxy_models.models.folder import load_model, read_card, write_card
from galaxy_models.models.heads import ClassesHead
from galaxy_models.simulation import Survey
from galaxy_models.training import fit
from galaxy_models.training.fine_tuning import find_starting_point

SmallTraining = Callable[..., TrainConfig]


def copied(model_folder: str, copy: Path, **changes: Any) -> str:
    """Copy a model folder, with other values in its card."""
    shutil.copytree(model_folder, copy)
    write_card(str(copy), dataclasses.replace(read_card(model_folder), **changes))
    return str(copy)


def starting(first: str, *others: str) -> TrainConfig:
    return TrainConfig(
        catalog="c", output="o", network="lenet5", image_size=32,
        start_from=first, average_with=others,
    )  # fmt: skip


@pytest.mark.slow
def test_training_starts_from_the_mean_of_the_weights(
    model_folder: str,
    labelled: Survey,
    small_training: SmallTraining,
    tmp_path: Path,
) -> None:
    second, mean = str(tmp_path / "second"), str(tmp_path / "mean")
    fit(small_training(labelled, second, start_from=model_folder, epochs=1, seed=1))
    changes = {"start_from": model_folder, "average_with": (second,)}
    still = {"epochs": 1, "learning_rate": 1e-9}
    fit(small_training(labelled, mean, **changes, **still))
    models = [load_model(folder) for folder in (model_folder, second, mean)]
    weights = [model.get_layer("conv_1").get_weights() for model in models]
    for one, other, between in zip(*weights, strict=True):
        assert (one != other).any()
        np.testing.assert_allclose(between, (one + other) / 2, atol=1e-6)
    hashes = [read_card(folder).model_hash for folder in (model_folder, second)]
    data = read_card(mean).data
    assert [data["start_from"], *data["average_with"]] == hashes


@pytest.mark.slow
def test_models_that_end_in_other_layers_have_no_mean(
    model_folder: str, tmp_path: Path
) -> None:
    other = copied(model_folder, tmp_path / "other", classes=("a", "b"))
    message = "--average-with .* has .* probability_a, probability_b, .* are alike"
    with pytest.raises(ConfigError, match=message):
        find_starting_point(starting(model_folder, other), ClassesHead(("a", "b")))


@pytest.mark.slow
def test_models_of_unknown_kinship_are_averaged_with_a_warning(
    model_folder: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weights = (Path(model_folder) / MODEL_NAME).read_bytes() + b"\0"
    ancestors: dict[str, dict[str, str]] = {
        "kin": {"start_from": read_card(model_folder).model_hash},
        "stranger": {},
    }
    said = {}
    for name, data in ancestors.items():
        folder = tmp_path / name
        copied(model_folder, folder, data=data, model_hash=hash_model(weights))
        (folder / MODEL_NAME).write_bytes(weights)
        caplog.clear()
        config = starting(model_folder, str(folder))
        with caplog.at_level(logging.WARNING):
            find_starting_point(config, ClassesHead(("a", "b")))
        said[name] = caplog.text
    assert said["kin"] == ""
    assert "was not trained from the same model" in said["stranger"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"average_with": ("b",)}, "--average-with b: there is nothing to average"),
        ({"start_from": "a", "average_with": ("b", "a")}, "a model counts twice"),
        ({"start_from": "a", "average_with": ("b", "b")}, "a model counts twice"),
    ],
)
def test_averaging_needs_several_models(flags: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig(catalog="c", output="o", **flags)
