"""A training without Ray loses its process, or its driver: nothing else is lost.

These trainings would last for days, so that they are killed in the midst of them.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from job_process import JobProcess, pids_below, wait_until_gone
from lost_worker import LOCAL_PROCESS, lost_worker

from galaxy_models.config import TrainConfig
from galaxy_models.errors import TrainingError
from galaxy_models.models.folder import load_model
from galaxy_models.simulation import Survey
from galaxy_models.training import fit

pytestmark = pytest.mark.slow
FOR_DAYS = 10**7
FIGURES = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]


def test_a_process_is_started_again_until_it_was_lost_too_often_and_no_bit_changes(
    labelled: Survey,
    small_training: Callable[..., TrainConfig],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    output, undisturbed = tmp_path / "model", tmp_path / "undisturbed"

    def train(folder: Path, epochs: int) -> None:
        flags = {"early_stopping_patience": FOR_DAYS, "max_restarts": 1}
        fit(small_training(labelled, str(folder), epochs=epochs, **flags))

    with (
        pytest.raises(TrainingError, match=r"lost \(SIGKILL\).*same command resumes"),
        lost_worker("epoch 1/", title=LOCAL_PROCESS),
        lost_worker("training resumes after epoch", title=LOCAL_PROCESS),
    ):
        train(output, FOR_DAYS)

    assert "the training's process was lost (SIGKILL): it restarts" in caplog.text
    assert (output / "_checkpoints").exists()
    train(output, epochs=1)  # there are more of them already: it ends with these
    history = pd.read_csv(output / "history.csv")[FIGURES]
    train(undisturbed, epochs=len(history))
    expected = pd.read_csv(undisturbed / "history.csv")[FIGURES]
    pd.testing.assert_frame_equal(history, expected)
    folders = (output, undisturbed)
    weights = (load_model(str(folder)).get_weights() for folder in folders)
    for mine, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(mine, other)
    names = [sorted(path.name for path in folder.iterdir()) for folder in folders]
    assert names[0] == names[1]


def test_a_killed_driver_takes_its_process_along(
    labelled: Survey, tmp_path: Path
) -> None:
    job = JobProcess(
        "jobs.train",
        [
            *("--catalog", str(labelled.catalog), "--output", str(tmp_path / "model")),
            *("--network", "lenet5", "--image-size", "32", "--epochs", str(FOR_DAYS)),
            *("--early-stopping-patience", str(FOR_DAYS)),
        ],
        tmp_path / "job.log",
    )
    job.wait_for("epoch 1/")
    (process,) = pids_below(job.process.pid, LOCAL_PROCESS)

    os.kill(job.process.pid, signal.SIGKILL)

    job.exit_code()
    wait_until_gone([process])
