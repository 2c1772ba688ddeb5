"""What a training goes on from."""

from pathlib import Path

import numpy as np

from galaxy_models.training.checkpoint import TrainingState, read_state, write_state
from galaxy_models.training.schedule import Standing


def test_a_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    state = TrainingState(
        standing=Standing(1 / 3, best_loss=0.1, best_epoch=1, num_without_gain=2),
        history=({"epoch": 1, "loss": 0.1}, {"epoch": 2, "loss": 0.2}),
        weights=[
            rng.normal(size=(3, 2)).astype(np.float32),
            np.asarray([1], np.float32),
        ],
        # More than ten, so that an order by name would have to be one by number.
        optimizer=[np.asarray(i, np.int64) for i in range(12)],
        best_weights=[],
        means=[np.asarray([0.5], np.float32)],
    )
    write_state(tmp_path, state)
    found = read_state(tmp_path)
    assert (found.standing, found.history) == (state.standing, state.history)
    assert found.num_epochs == 2
    for name in ("weights", "optimizer", "best_weights", "means"):
        expected = getattr(state, name)
        assert len(getattr(found, name)) == len(expected)
        for mine, theirs in zip(getattr(found, name), expected, strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)
