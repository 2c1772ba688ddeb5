"""Which galaxy is trained on when."""

from itertools import chain

import numpy as np
import pytest

from galaxy_models.training.sampler import Lanes, lane_order


def order(
    num_galaxies: int, batch_size: int, num_workers: int, seed: int | None
) -> list[list[int]]:
    """The galaxies of each batch; every lane's last one again where it has ended."""
    lanes = Lanes.of_batches(num_galaxies, batch_size)
    owned = chain(*(lanes.of_worker(rank, num_workers) for rank in range(num_workers)))
    columns = []
    for lane in owned:
        rng = None if seed is None else np.random.default_rng([seed, lane])
        turns = np.concatenate(list(lane_order(lanes.bounds(lane), 3, rng))).tolist()
        columns.append(turns + [turns[-1]] * (lanes.num_steps - len(turns)))
    return [list(batch) for batch in zip(*columns, strict=True)]


@pytest.mark.parametrize(
    ("num_galaxies", "batch_size"), [(64, 16), (65, 16), (3, 16), (1, 1), (50, 15)]
)
def test_every_galaxy_has_a_turn_and_the_last_batch_alone_is_filled_up(
    num_galaxies: int, batch_size: int
) -> None:
    batches = order(num_galaxies, batch_size, 1, seed=1)
    full = list(chain(*batches[:-1]))
    assert len(full) == len(set(full))
    assert set(chain(*batches)) == set(range(num_galaxies))
    assert len(batches) == -(-num_galaxies // batch_size)


@pytest.mark.parametrize("num_workers", [2, 3, 5])
def test_a_batch_holds_the_same_galaxies_however_many_workers_share_it(
    num_workers: int,
) -> None:
    assert order(50, 16, num_workers, seed=4) == order(50, 16, 1, seed=4)


def test_workers_own_different_galaxies_as_evenly_as_can_be() -> None:
    lanes = Lanes.of_batches(100, 32)
    owned = [lanes.of_worker(rank, 3) for rank in range(3)]
    assert sorted(len(lanes) for lanes in owned) == [10, 11, 11]
    assert list(chain(*owned)) == list(range(32))


def test_another_seed_gives_another_order_and_none_gives_the_catalogs() -> None:
    assert order(50, 16, 1, seed=1) != order(50, 16, 1, seed=2)
    first_turns = order(50, 16, 1, seed=None)[0]
    assert first_turns == [50 * lane // 16 for lane in range(16)]


def test_only_neighbours_are_read_together_and_not_the_same_ones_twice() -> None:
    epochs = []
    for epoch in range(2):
        chunks = list(lane_order((10, 40), 8, np.random.default_rng(epoch)))
        assert all(len(chunk) <= 8 and np.ptp(chunk) < 8 for chunk in chunks)
        assert sorted(np.concatenate(chunks).tolist()) == list(range(10, 40))
        epochs.append({frozenset(chunk.tolist()) for chunk in chunks})
    assert not epochs[0] & epochs[1]
