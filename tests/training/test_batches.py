"""A worker's share of every batch, out of Ray's object store."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import ray
import ray.exceptions
from ray.data.extensions import ArrowTensorArray

from galaxy_models.config import TrainConfig
from galaxy_models.training import batches as batches_module
from galaxy_models.training.batches import Batch, BatchReader
from galaxy_models.training.examples import Examples, LostGalaxiesError
from galaxy_models.training.stored_examples import StoredExamples

pytestmark = pytest.mark.slow

SIZE_PX = 32
NUM_GALAXIES = 50


@pytest.fixture(scope="module")
def examples(ray_here: None) -> Examples:
    """Fifty galaxies in blocks of different sizes; galaxy i is of brightness i."""
    sizes = (13, 1, 30, 6)
    refs, first = [], 0
    for size in sizes:
        numbers = np.arange(first, first + size)
        pixels = np.ones((size, SIZE_PX, SIZE_PX, 3), np.uint8)
        table = {
            "object_id": pa.array(numbers + 10**17),
            "label": pa.array(numbers % 3),
            "image": ArrowTensorArray.from_numpy(
                pixels * numbers[:, None, None, None].astype(np.uint8)
            ),
        }
        refs.append(ray.put(pa.table(table)))
        first += size
    return StoredExamples(tuple(refs), sizes)


def reader(
    examples: Examples, rank: int = 0, num_workers: int = 1, **flags: Any
) -> BatchReader:
    settings: dict[str, Any] = {"batch_size": 16, "image_size": SIZE_PX} | flags
    return BatchReader(
        examples,
        TrainConfig(catalog="c", output="o", **settings),
        [1.0, 2.0, 3.0],
        rank=rank,
        num_workers=num_workers,
        threads=2,
    )


def ids(batches: list[Batch]) -> list[int]:
    """Ids of the galaxies that count."""
    return [
        int(id_) for batch in batches for id_ in batch.object_ids[batch.weights > 0]
    ]


def test_neighbours_are_read_across_blocks(examples: Examples) -> None:
    rows = examples.read(10, 20)
    assert rows["object_id"].tolist() == [10**17 + i for i in range(10, 20)]
    assert rows["label"].tolist() == [i % 3 for i in range(10, 20)]
    assert rows["image"][:, 0, 0, 0].tolist() == list(range(10, 20))
    assert rows["image"].shape == (10, SIZE_PX, SIZE_PX, 3)


def test_galaxies_that_ray_has_lost_are_said_to_be_lost(
    examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Any) -> None:
        raise ray.exceptions.ObjectLostError("0" * 56, None, "")

    monkeypatch.setattr(ray, "get", fail)
    with pytest.raises(LostGalaxiesError):
        examples.read(0, 1)


def test_galaxies_are_read_in_batches_once(examples: Examples) -> None:
    found = np.concatenate([rows["object_id"] for rows in examples.batches(16)])
    assert found.tolist() == [10**17 + i for i in range(NUM_GALAXIES)]


def test_pixels_labels_weights_and_ids_stay_together(examples: Examples) -> None:
    for batch in reader(examples).in_order():
        numbers = batch.object_ids - 10**17
        assert (batch.images == numbers[:, None, None, None]).all()
        np.testing.assert_array_equal(batch.labels, numbers % 3)
        expected = np.asarray([1, 2, 3], np.float32)[batch.labels]
        np.testing.assert_array_equal(batch.weights, expected)


def test_every_galaxy_counts_once_an_epoch(examples: Examples) -> None:
    for batches in (reader(examples).in_order(), reader(examples).shuffled(1)):
        assert sorted(ids(list(batches))) == [10**17 + i for i in range(NUM_GALAXIES)]


def test_every_epoch_has_an_order_and_views_of_its_own(examples: Examples) -> None:
    first, second = (list(reader(examples).shuffled(epoch)) for epoch in (1, 2))
    assert ids(first) != ids(second)
    again = list(reader(examples).shuffled(1))
    assert ids(again) == ids(first)
    for mine, theirs in zip(again, first, strict=True):
        np.testing.assert_array_equal(mine.images, theirs.images)


@pytest.mark.parametrize("num_workers", [2, 3])
def test_workers_shares_together_are_the_batch_of_one(
    examples: Examples, num_workers: int
) -> None:
    flags: dict[str, Any] = {
        "noise_levels": 9.0,
        "colour_fraction": 0.2,
        "blur_fraction": 0.02,
    }
    one = list(reader(examples, **flags).shuffled(3))
    shares = [
        list(reader(examples, rank, num_workers, **flags).shuffled(3))
        for rank in range(num_workers)
    ]
    for batch, *parts in zip(one, *shares, strict=True):
        assert all(len(part.weights) for part in parts)  # all take every step
        for column, whole in zip(Batch._fields, batch, strict=True):
            joined = [getattr(part, column)[part.weights > 0] for part in parts]
            np.testing.assert_array_equal(np.concatenate(joined), whole)


def test_a_lane_larger_than_memory_is_read_in_chunks(
    examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = []
    read = Examples.read

    def noted(self: Examples, start: int, stop: int) -> Any:
        spans.append(stop - start)
        return read(self, start, stop)

    monkeypatch.setattr(Examples, "read", noted)
    monkeypatch.setattr(batches_module, "MIXED_BYTES", 2 * 5 * 3 * SIZE_PX**2)
    found = list(reader(examples, batch_size=2).shuffled(1))
    assert sorted(ids(found)) == [10**17 + i for i in range(NUM_GALAXIES)]
    assert max(spans) == 5  # of 25 in a lane


def test_time_spent_waiting_is_counted(examples: Examples) -> None:
    slow = reader(examples)
    list(slow.shuffled(1))
    assert slow.waited_s > 0
