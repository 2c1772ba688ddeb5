"""What the learning rate is, and when training ends: pure rules, easily kept.

All workers see the same validation loss, so they cut and stop in the same epoch. The
state is a handful of numbers that a checkpoint holds, so that a resumed training
continues as if it had never stopped. (Keras' callbacks follow the same rules, but
forget theirs.) This module knows neither Keras nor files.
"""

import math
from dataclasses import dataclass, replace

from galaxy_models.config import TrainConfig


@dataclass(frozen=True)
class ScheduleState:
    """The schedule after some epochs."""

    learning_rate: float
    """For the next epoch."""

    best_loss: float = math.inf
    """Lowest validation loss so far."""

    best_epoch: int = 0
    """Its epoch, from 1; 0 before the first."""

    num_without_gain: int = 0
    """Epochs since ``best_epoch``."""

    num_on_plateau: int = 0
    """Epochs since ``best_epoch`` or since the rate was last cut."""

    def is_best(self) -> bool:
        """Whether the last epoch was better than all before it."""
        return self.num_without_gain == 0

    def is_over(self, config: TrainConfig) -> bool:
        """Whether training ends before its last epoch."""
        return self.num_without_gain >= config.early_stopping_patience


def after_epoch(
    schedule: ScheduleState, epoch: int, val_loss: float, config: TrainConfig
) -> ScheduleState:
    """Update the schedule with an epoch's validation loss.

    Args:
        schedule: before the epoch.
        epoch: its number, from 1.
        val_loss: mean over all validation galaxies.
        config: the schedule, patience and factor.

    Returns:
        The state after it. As Keras' ``ReduceLROnPlateau`` and ``EarlyStopping``
        with ``min_delta=0``, or the cosine of ``CosineDecay``, epoch by epoch.

    Source:
        Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5 (the cosine, one period).
    """
    if config.schedule == "cosine":
        cosine = math.cos(math.pi * epoch / config.epochs)
        rate = config.learning_rate * (1 + cosine) / 2
        schedule = replace(schedule, learning_rate=rate)
    if val_loss < schedule.best_loss:
        return ScheduleState(schedule.learning_rate, val_loss, epoch)
    if config.schedule == "cosine":
        return replace(schedule, num_without_gain=schedule.num_without_gain + 1)
    on_plateau = schedule.num_on_plateau + 1
    is_cut = on_plateau >= config.plateau_patience
    factor = config.plateau_factor if is_cut else 1.0
    return replace(
        schedule,
        learning_rate=schedule.learning_rate * factor,
        num_without_gain=schedule.num_without_gain + 1,
        num_on_plateau=0 if is_cut else on_plateau,
    )
