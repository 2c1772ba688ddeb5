"""Which galaxy is trained on when: the same, however many workers share the work.

A batch has as many places as ``--batch-size`` says, and each place has a *lane*: a run
of galaxies that take it in turn, in an order that is new in every epoch. A worker owns
some of the places, so it reads only the galaxies of its own lanes, while the batch that
all workers make up together depends on the seed and the epoch alone.

Lanes differ in length by one galaxy at most, so only the last batch may be short. All
workers take equally many steps, or they would wait for each other for ever: one without
a galaxy for the last batch takes its step with a galaxy of weight 0.

This module knows numbers only; it knows neither pixels nor Ray.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Lanes:
    """Galaxies 0 to ``num_galaxies`` - 1, shared out to the places of a batch."""

    num_galaxies: int
    num_lanes: int
    """Places of a batch: at most as many as there are galaxies."""

    @classmethod
    def of_batches(cls, num_galaxies: int, batch_size: int) -> "Lanes":
        """Share galaxies out to the places of batches of a size."""
        return cls(num_galaxies, min(batch_size, num_galaxies))

    @property
    def num_steps(self) -> int:
        """Batches in which every galaxy takes its turn."""
        return -(-self.num_galaxies // self.num_lanes)

    def bounds(self, lane: int) -> tuple[int, int]:
        """First galaxy of a lane, and first of the next one."""
        start, stop = (
            self.num_galaxies * place // self.num_lanes for place in (lane, lane + 1)
        )
        return start, stop

    def of_worker(self, rank: int, num_workers: int) -> range:
        """Lanes that a worker owns; there must be as many lanes as workers."""
        first, end = (
            self.num_lanes * place // num_workers for place in (rank, rank + 1)
        )
        return range(first, end)


def chunks_in_order(start: int, stop: int, chunk_size: int) -> list[tuple[int, int]]:
    """Cut a lane into runs of neighbours, as they come.

    Args:
        start: first galaxy.
        stop: the galaxy after the last one.
        chunk_size: galaxies a chunk.

    Returns:
        First galaxy of each chunk, and the one after its last.
    """
    return [(at, min(at + chunk_size, stop)) for at in range(start, stop, chunk_size)]


def chunks_shuffled(
    start: int, stop: int, chunk_size: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Cut a lane into chunks at random places, and mix their order.

    Only neighbours need be read together, so the lane may be far larger than memory;
    with other cuts in every epoch they do not stay together.

    Args:
        start: first galaxy.
        stop: the galaxy after the last one.
        chunk_size: galaxies a chunk, at most.
        rng: source of randomness.
    """
    first_cut = min(start + int(rng.integers(1, chunk_size + 1)), stop)
    chunks = [(start, first_cut), *chunks_in_order(first_cut, stop, chunk_size)]
    return [chunks[index] for index in rng.permutation(len(chunks))]


def lane_order(
    bounds: tuple[int, int], chunk_size: int, rng: np.random.Generator | None
) -> Iterator[NDArray[np.int64]]:
    """Give a lane's galaxies, a chunk at a time, in the order of their turns.

    Args:
        bounds: see ``Lanes.bounds``.
        chunk_size: galaxies that are in memory at once.
        rng: None for the catalog's order, as in validation.

    Yields:
        int64, at most ``chunk_size`` numbers of galaxies that are neighbours.
    """
    if rng is None:
        for start, stop in chunks_in_order(*bounds, chunk_size):
            yield np.arange(start, stop)
        return
    for start, stop in chunks_shuffled(*bounds, chunk_size, rng):
        yield rng.permutation(np.arange(start, stop))
