"""When the rate is cut and training ends, held against Keras' own callbacks."""

import json
import math
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from galaxy_models.config import TrainConfig
from galaxy_models.training.schedule import ScheduleState, after_epoch


def config(**flags: Any) -> TrainConfig:
    return TrainConfig(catalog="c", output="o", **flags)


def schedules(losses: list[float], settings: TrainConfig) -> list[ScheduleState]:
    """How training stands after each epoch, to the last or to the early end."""
    found = []
    schedule = ScheduleState(settings.learning_rate)
    for epoch, loss in enumerate(losses, start=1):
        schedule = after_epoch(schedule, epoch, loss, settings)
        found.append(schedule)
        if schedule.is_over(settings):
            break
    return found


@pytest.mark.slow  # imports TensorFlow
@pytest.mark.parametrize("seed", range(5))
def test_rates_and_the_end_are_those_of_keras_callbacks(seed: int) -> None:
    keras = pytest.importorskip("keras")
    losses = np.random.default_rng(seed).normal(1, 0.3, 40).tolist()
    settings = config(
        learning_rate=1.0,
        plateau_patience=2,
        plateau_factor=0.5,
        early_stopping_patience=7,
    )
    model = SimpleNamespace(
        optimizer=SimpleNamespace(learning_rate=1.0), stop_training=False
    )
    model.optimizer.learning_rate = keras.Variable(1.0)
    plateau = keras.callbacks.ReduceLROnPlateau(
        patience=2, factor=0.5, min_delta=0, verbose=0
    )
    stopping = keras.callbacks.EarlyStopping(patience=7)
    rates = []
    for callback in (plateau, stopping):
        callback.set_model(model)
        callback.on_train_begin()
    for epoch, loss in enumerate(losses):
        plateau.on_epoch_end(epoch, {"val_loss": loss})
        stopping.on_epoch_end(epoch, {"val_loss": loss})
        rates.append(float(model.optimizer.learning_rate))
        if model.stop_training:
            break
    found = schedules(losses, settings)
    assert [schedule.learning_rate for schedule in found] == pytest.approx(rates)
    assert found[-1].best_epoch == stopping.best_epoch + 1


def test_the_best_epoch_is_the_first_of_the_lowest_loss() -> None:
    found = schedules([3.0, 1.0, 2.0, 1.0], config())
    assert [schedule.best_epoch for schedule in found] == [1, 2, 2, 2]
    assert [schedule.is_best() for schedule in found] == [True, True, False, False]


def test_a_standing_survives_json_bit_for_bit() -> None:
    for schedule in (ScheduleState(5e-4), schedules([0.1 + 0.2, 1 / 3], config())[-1]):
        assert ScheduleState(**json.loads(json.dumps(asdict(schedule)))) == schedule
    assert math.isinf(ScheduleState(5e-4).best_loss)


def test_the_cosine_falls_from_the_first_rate_to_none_whatever_the_loss_does() -> None:
    settings = config(schedule="cosine", learning_rate=0.2, epochs=4)
    rates = [s.learning_rate for s in schedules([3.0, 1.0, 2.0, 2.0], settings)]
    np.testing.assert_allclose(
        [0.2, *rates], 0.1 * (1 + np.cos(np.pi * np.arange(5) / 4)), atol=1e-15
    )


def test_the_cosine_ends_early_as_the_plateau_does() -> None:
    settings = config(schedule="cosine", early_stopping_patience=2, epochs=9)
    found = schedules([1.0, 2.0, 0.9, 2.0, 2.0, 0.1], settings)
    assert len(found) == 5
    assert (found[-1].best_epoch, found[-1].best_loss) == (3, 0.9)
