"""Trainings by Ray's workers: one, two, one that is lost, one begun without Ray."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lost_worker import LOCAL_PROCESS, lost_worker
from prometheus import Samples, samples_of

from galaxy_models.config import TrainConfig
from galaxy_models.errors import OutputError, ResourceError, TrainingError
from galaxy_models.models.folder import load_model
from galaxy_models.simulation import Survey
from galaxy_models.training import fit
from galaxy_models.training.checkpoint import FolderCheckpoints, read_state
from galaxy_models.training.pipeline import begin
from galaxy_models.training.plan import CHECKPOINTS_NAME, RAY_TRAIN_NAME
from galaxy_models.training.request import open_request

SmallTraining = Callable[..., TrainConfig]
FIGURES = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]
FOR_DAYS = 10**7
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


def test_a_training_that_began_without_ray_goes_on_with_its_epochs(
    ray_here: None,
    labelled: Survey,
    small_training: SmallTraining,
    tmp_path: Path,
) -> None:
    def train(epochs: int, plan: str) -> None:
        flags = {"early_stopping_patience": FOR_DAYS, "max_restarts": 1}
        fit(small_training(labelled, output, epochs=epochs, plan=plan, **flags))

    output = str(tmp_path / "model")
    with (
        pytest.raises(TrainingError, match="same command resumes"),
        lost_worker("epoch 1/", title=LOCAL_PROCESS),
        lost_worker("training resumes after epoch", title=LOCAL_PROCESS),
    ):
        train(FOR_DAYS, plan="local")
    with FolderCheckpoints(f"{output}/{CHECKPOINTS_NAME}").latest() as kept:
        assert kept is not None
        history = pd.DataFrame(read_state(kept).history)

    train(len(history) + 1, plan="ray")

    whole = pd.read_csv(f"{output}/history.csv")
    assert whole["epoch"].tolist() == list(range(1, len(history) + 2))
    # When an epoch ended is among its figures: the same epochs, not equal ones.
    pd.testing.assert_frame_equal(whole.iloc[:-1], history[whole.columns])
    assert not Path(output, CHECKPOINTS_NAME).exists()


def test_a_training_that_ray_s_workers_began_is_not_begun_anew_without_them(
    labelled: Survey, small_training: SmallTraining, tmp_path: Path
) -> None:
    config = small_training(labelled, str(tmp_path / "model"), plan="local")
    begin(open_request(config, config.output, resume=True))
    (tmp_path / "model" / RAY_TRAIN_NAME).mkdir()
    with pytest.raises(OutputError, match=r"--plan local: Ray's workers.*--plan ray"):
        fit(config)
    fit(dataclasses.replace(config, overwrite=True))
    assert not (tmp_path / "model" / RAY_TRAIN_NAME).exists()


def test_more_workers_than_cpus_are_refused(
    ray_here: None, labelled: Survey, small_training: SmallTraining, tmp_path: Path
) -> None:
    config = small_training(
        labelled, str(tmp_path / "m"), num_workers=999, batch_size=999
    )
    with pytest.raises(ResourceError, match=r"--num-workers 999: the cluster has \d+"):
        fit(config)
