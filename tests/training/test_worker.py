"""How a worker's galaxies become steps of a fixed size."""

import numpy as np
import pytest

from galaxy_models.config import TrainConfig
from galaxy_models.training.worker import WorkerPlan, pad_batch


def plan(num_workers: int, batch_size: int = 32) -> WorkerPlan:
    return WorkerPlan(
        config=TrainConfig(catalog="c", output="o", batch_size=batch_size),
        classes=("a", "b"),
        class_weights=(1.0, 1.0),
        num_training=100,
        num_validation=10,
        num_workers=num_workers,
        threads=1,
    )


def test_a_short_batch_is_filled_up_with_its_own_galaxies_at_weight_zero() -> None:
    images = np.arange(3, dtype=np.uint8)[:, None, None, None] + np.ones(
        (3, 4, 4, 3), np.uint8
    )
    labels = np.asarray([0, 1, 0], np.int32)
    weights = np.asarray([1, 2, 1], np.float32)
    padded, padded_labels, padded_weights = pad_batch(images, labels, weights, 8)
    assert padded.shape == (8, 4, 4, 3)
    assert padded[:, 0, 0, 0].tolist() == [1, 2, 3, 1, 2, 3, 1, 2]
    assert padded_labels.tolist() == [0, 1, 0, 0, 1, 0, 0, 1]
    assert padded_weights.tolist() == [1, 2, 1, 0, 0, 0, 0, 0]
    dtypes = [str(array.dtype) for array in (padded, padded_labels, padded_weights)]
    assert dtypes == ["uint8", "int32", "float32"]


def test_the_batch_is_shared_by_the_workers() -> None:
    assert plan(1).batch_size == 32
    assert plan(2).batch_size == 16


@pytest.mark.parametrize(
    ("num_workers", "num_galaxies", "num_steps"),
    [(1, 64, 2), (1, 65, 3), (2, 64, 2), (2, 65, 3), (2, 1, 1)],
)
def test_all_workers_take_the_steps_that_the_largest_shard_needs(
    num_workers: int, num_galaxies: int, num_steps: int
) -> None:
    assert plan(num_workers).num_steps(num_galaxies) == num_steps
