"""Everything that a training needs to resume after an epoch, as a folder of two files.

    state.json     epochs so far, the schedule's state
    arrays.npz     weights, the optimizer's variables, the weights of the best epoch,
                   averaged weights

The order and the views of every epoch follow from the seed, so nothing else decides
what comes next. NumPy's format holds no code. This module knows neither networks nor
Ray.
"""

import dataclasses
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from galaxy_models import storage
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
    """Of the epoch with the lowest validation loss; with
    ``--no-restore-best-weights`` of the last one."""

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


class Checkpoints(Protocol):
    """Where a worker's states go after each epoch, and come back from."""

    def latest(self) -> AbstractContextManager[Path | None]:
        """Give the folder that was kept last, on this host; None if there is none."""
        ...

    def keep(self, figures: Mapping[str, float], folder: Path | None) -> None:
        """Keep a folder in place of the one before.

        Args:
            figures: how training stands.
            folder: with a state in it; None from workers that have nothing to add.
        """
        ...


class FolderCheckpoints:
    """Checkpoints of a training that is one process.

    Args:
        uri: folder for them; it need not exist.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri

    @contextmanager
    def latest(self) -> Iterator[Path | None]:
        """Copy the last whole checkpoint here while the block runs."""
        whole = [name for name in self._names() if self._is_whole(name)]
        if not whole:
            yield None
            return
        with tempfile.TemporaryDirectory() as folder:
            source = storage.join(self._uri, whole[-1])
            for name in storage.list_names(source):
                storage.copy_file(storage.join(source, name), f"{folder}/{name}")
            yield Path(folder)

    def keep(self, figures: Mapping[str, float], folder: Path | None) -> None:
        """Copy a folder; its state last, so that a state means a whole checkpoint."""
        del figures
        assert folder is not None, "one process has all that there is to keep"
        earlier = self._names()
        number = int(earlier[-1]) + 1 if earlier else 1
        target = storage.join(self._uri, f"{number:06d}")
        storage.make_folder(target)
        for path in sorted(folder.iterdir(), key=lambda path: path.name == STATE_NAME):
            storage.copy_file(str(path), storage.join(target, path.name))
        for name in earlier:
            storage.delete_folder(storage.join(self._uri, name))

    def _names(self) -> list[str]:
        return sorted(storage.list_names(self._uri))

    def _is_whole(self, name: str) -> bool:
        return storage.is_file(storage.join(self._uri, f"{name}/{STATE_NAME}"))
