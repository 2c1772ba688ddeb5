"""What a training resumes from."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from galaxy_models.training.checkpoint import TrainingState, read_state, write_state
from galaxy_models.training.schedule import ScheduleState


def test_a_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    state = TrainingState(
        schedule=ScheduleState(1 / 3, best_loss=0.1, best_epoch=1, num_without_gain=2),
        history=({"epoch": 1, "loss": 0.1}, {"epoch": 2, "loss": 0.2}),
        weights=[
            rng.normal(size=(3, 2)).astype(np.float32),
            np.asarray([1], np.float32),
        ],
        # More than ten, so that an order by name would have to be one by number.
        optimizer=[np.asarray(i, np.int64) for i in range(12)],
        best_weights=[],
        averaged_weights=[np.asarray([0.5], np.float32)],
    )
    write_state(tmp_path, state)
    found = read_state(tmp_path)
    assert (found.schedule, found.history) == (state.schedule, state.history)
    assert found.num_epochs == 2
    for name in ("weights", "optimizer", "best_weights", "averaged_weights"):
        expected = getattr(state, name)
        assert len(getattr(found, name)) == len(expected)
        for mine, theirs in zip(getattr(found, name), expected, strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)


def test_a_state_that_version_0_1_wrote_is_read(tmp_path: Path) -> None:
    standing = {
        "learning_rate": 0.5,
        "best_loss": 0.1,
        "best_epoch": 2,
        "num_without_gain": 1,
        "num_on_plateau": 1,
    }
    content = {"standing": standing, "history": [{"epoch": 1}, {"epoch": 2}]}
    (tmp_path / "state.json").write_text(json.dumps(content))
    arrays: dict[str, Any] = {"weights-00000": [1.0], "means-00000": [2.0]}
    np.savez(tmp_path / "arrays.npz", **arrays)

    found = read_state(tmp_path)

    assert found.schedule == ScheduleState(0.5, 0.1, 2, 1, 1)
    assert [array.tolist() for array in found.weights] == [[1.0]]
    assert [array.tolist() for array in found.averaged_weights] == [[2.0]]
