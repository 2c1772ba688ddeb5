"""Everything that a training needs to go on after an epoch, as a folder of two files.

    state.json     epochs so far, how the schedule stands
    arrays.npz     weights, the optimizer's variables, the weights of the best epoch,
                   running means

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

from galaxy_models.training.schedule import Standing

STATE_NAME = "state.json"
ARRAYS_NAME = "arrays.npz"
ARRAY_GROUPS = ("weights", "optimizer", "best_weights", "means")

Arrays = list[NDArray[Any]]


@dataclass(frozen=True)
class TrainingState:
    """A training between two epochs."""

    standing: Standing
    history: tuple[dict[str, float], ...]
    """A row an epoch, see ``history.EpochRow``."""

    weights: Arrays
    optimizer: Arrays
    best_weights: Arrays
    """Of the epoch with the lowest validation loss."""

    means: Arrays
    """Running means of the weights, where they are kept."""

    @property
    def num_epochs(self) -> int:
        """Epochs that are done."""
        return len(self.history)


def write_state(folder: Path, state: TrainingState) -> None:
    """Write a state into an existing folder."""
    content = {
        "standing": dataclasses.asdict(state.standing),
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
    content = json.loads((folder / STATE_NAME).read_text())
    groups: dict[str, Arrays] = {group: [] for group in ARRAY_GROUPS}
    with np.load(folder / ARRAYS_NAME, allow_pickle=False) as arrays:
        for name in sorted(arrays.files):
            groups[name.partition("-")[0]].append(arrays[name])
    return TrainingState(
        standing=Standing(**content["standing"]),
        history=tuple(content["history"]),
        **groups,
    )
