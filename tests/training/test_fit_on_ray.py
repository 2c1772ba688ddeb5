"""A whole training run by Ray's workers: one, two, and one that is lost."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lost_worker import lost_worker
from prometheus import Samples, samples_of

from galaxy_models.config import TrainConfig
from galaxy_models.errors import ResourceError
from galaxy_models.models.folder import load_model
from galaxy_models.simulation import Survey
from galaxy_models.training import fit

SmallTraining = Callable[..., TrainConfig]
FIGURES = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Watched:
    """A model folder, and what Prometheus found of its training."""

    folder: str
    samples: Samples


@pytest.fixture(scope="module")
def one(
    ray_here: None,
    labelled: Survey,
    small_training: SmallTraining,
    tmp_path_factory: pytest.TempPathFactory,
) -> Watched:
    """A training with one worker."""
    folder = str(tmp_path_factory.mktemp("one") / "model")
    fit(small_training(labelled, folder, plan="ray"))
    epoch = "ray_galaxy_batch_train_epoch", ""
    return Watched(folder, samples_of(folder, lambda found: found.get(epoch) == 2))


def test_prometheus_finds_the_last_epoch(one: Watched) -> None:
    last = pd.read_csv(Path(one.folder) / "history.csv").iloc[-1]
    assert {
        (name.removeprefix("ray_galaxy_batch_train_"), label): number
        for (name, label), number in one.samples.items()
    } == {
        ("epoch", ""): last["epoch"],
        ("loss", "training"): pytest.approx(last["loss"]),
        ("loss", "validation"): pytest.approx(last["val_loss"]),
        ("accuracy", "training"): pytest.approx(last["accuracy"]),
        ("accuracy", "validation"): pytest.approx(last["val_accuracy"]),
        ("learning_rate", ""): pytest.approx(last["learning_rate"]),
        ("images_per_second", ""): pytest.approx(last["images_per_s"]),
        ("wait_fraction", ""): pytest.approx(last["wait_fraction"]),
    }


def test_two_workers_train_as_one_does(
    ray_here: None,
    labelled: Survey,
    one: Watched,
    small_training: SmallTraining,
    tmp_path: Path,
) -> None:
    card = fit(small_training(labelled, str(tmp_path / "two"), num_workers=2))
    assert card.data["left_out"] == 1
    of_one, of_two = (
        pd.read_csv(f"{folder}/history.csv")
        for folder in (one.folder, tmp_path / "two")
    )
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(of_two[name], of_one[name], rtol=1e-5)
    weights = [load_model(str(f)).get_weights() for f in (one.folder, tmp_path / "two")]
    for weight, other in zip(*weights, strict=True):
        assert np.abs(other - weight).max() < 1e-5 * np.abs(weight).max()
    mine, theirs = (
        pd.read_parquet(f"{folder}/validation_predictions.parquet")
        for folder in (one.folder, tmp_path / "two")
    )
    pd.testing.assert_frame_equal(mine, theirs, rtol=1e-4)


def test_a_training_that_loses_its_worker_ends_with_the_same_bits(
    ray_here: None,
    labelled: Survey,
    one: Watched,
    small_training: SmallTraining,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    output = str(tmp_path / "model")

    with lost_worker("epoch 1/", Path(output)):
        fit(small_training(labelled, output, plan="ray"))

    assert "training resumes after epoch" in caplog.text
    folders = (output, one.folder)
    mine, theirs = (pd.read_csv(f"{folder}/history.csv")[FIGURES] for folder in folders)
    pd.testing.assert_frame_equal(mine, theirs)
    weights = [load_model(folder).get_weights() for folder in folders]
    for weight, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_more_workers_than_cpus_are_refused(
    ray_here: None, labelled: Survey, small_training: SmallTraining, tmp_path: Path
) -> None:
    config = small_training(
        labelled, str(tmp_path / "m"), num_workers=999, batch_size=999
    )
    with pytest.raises(ResourceError, match=r"--num-workers 999: the cluster has \d+"):
        fit(config)
