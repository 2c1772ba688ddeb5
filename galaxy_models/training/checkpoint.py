"""Everything that a training needs to resume after an epoch, as a folder of two files.

    state.json     epochs so far, the schedule's state
    arrays.npz     weights, the optimizer's variables, the weights of the best epoch,
                   averaged weights

The order and the views of every epoch follow from the seed, so nothing else decides
what comes next. NumPy's format holds no code. This module knows no network.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galaxy_models.training.schedule import ScheduleState

STATE_NAME = "state.json"
ARRAYS_NAME = "arrays.npz"
ARRAY_GROUPS = ("weights", "optimizer", "best_weights", "averaged_weights")
VERSION_1_NAMES = {"standing": "schedule", "means": "averaged_weights"}
"""What version 0.1 called them: its unfinished trainings are resumed."""

Arrays = list[NDArray[Any]]


@dataclass(frozen=True)
class TrainingState:
    """A training between two epochs."""

    schedule: ScheduleState
    history: tuple[dict[str, float], ...]
    """A row an epoch, see ``history.EpochRow``."""

    weights: Arrays
    optimizer: Arrays
    best_weights: Arrays
    """Of the epoch with the lowest validation loss."""

    averaged_weights: Arrays
    """Running means of the weights; none without ``--weight-averaging``."""

    @property
    def num_epochs(self) -> int:
        """Epochs that are done."""
        return len(self.history)


def write_state(folder: Path, state: TrainingState) -> None:
    """Write a state into an existing folder."""
    content = {
        "schedule": dataclasses.asdict(state.schedule),
        "history": state.history,
    }
    (folder / STATE_NAME).write_text(json.dumps(content))
    arrays = {
        f"{group}-{index:05d}": array
        for group in ARRAY_GROUPS
        for index, array in enumerate(getattr(state, group))
    }
    np.savez(folder / ARRAYS_NAME, allow_pickle=False, **arrays)


def read_state(folder: Path) -> TrainingState:
    """Read what ``write_state`` wrote, bit for bit."""
    content = _renamed(json.loads((folder / STATE_NAME).read_text()))
    groups: dict[str, Arrays] = {group: [] for group in ARRAY_GROUPS}
    with np.load(folder / ARRAYS_NAME, allow_pickle=False) as arrays:
        for name in sorted(arrays.files):
            group = name.partition("-")[0]
            groups[VERSION_1_NAMES.get(group, group)].append(arrays[name])
    return TrainingState(
        schedule=ScheduleState(**content["schedule"]),
        history=tuple(content["history"]),
        **groups,
    )


def _renamed(content: dict[str, Any]) -> dict[str, Any]:
    return {VERSION_1_NAMES.get(name, name): value for name, value in content.items()}
