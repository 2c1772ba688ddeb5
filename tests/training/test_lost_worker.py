"""A worker that is killed costs a training nothing but time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lost_worker import lost_worker

from galaxy_models.config import TrainConfig
from galaxy_models.models.folder import load_model
from galaxy_models.simulation import Survey
from galaxy_models.training import fit

FIGURES = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"]


@pytest.mark.slow
def test_a_training_that_loses_its_worker_ends_with_the_same_bits(
    ray_here: None,
    labelled: Survey,
    model_folder: str,
    small_training: Callable[..., TrainConfig],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    output = str(tmp_path / "model")

    with lost_worker("epoch 1/", Path(output)):
        fit(small_training(labelled, output))

    assert "training resumes after epoch" in caplog.text
    folders = (output, model_folder)
    mine, theirs = (pd.read_csv(f"{folder}/history.csv")[FIGURES] for folder in folders)
    pd.testing.assert_frame_equal(mine, theirs)
    weights = [load_model(folder).get_weights() for folder in folders]
    for weight, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(weight, other)
