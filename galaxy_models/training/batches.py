"""One worker's share of every batch: read, transformed and weighed ahead of its step.

A thread works ahead while TensorFlow computes; OpenCV and NumPy let go of the
interpreter's lock. It knows pixels and orders; it knows neither networks nor
TensorFlow.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig
from galaxy_models.training.augmentation import augment_images, random_transforms
from galaxy_models.training.degradation import random_degradations
from galaxy_models.training.distillation import Teacher
from galaxy_models.training.examples import Columns, Examples
from galaxy_models.training.sampler import Lanes, lane_order

MIXED_BYTES = 512 * 2**20  # decoded galaxies that all workers hold to mix, in sum
BATCHES_AHEAD = 2


class Batch(NamedTuple):
    """A worker's share of a batch."""

    images: NDArray[np.uint8]
    """Shape (galaxies, size, size, 3)."""

    labels: NDArray[np.int32] | NDArray[np.float32]
    """Index of the class, or of a group of them: shape (galaxies,); or the votes of
    each answer: float32, shape (galaxies, answers)."""

    weights: NDArray[np.float32]
    """In the loss; 0 for a galaxy that stands in where a worker has none left."""

    object_ids: NDArray[Any]
    teacher_probabilities: NDArray[np.float32]
    """What a teacher says, shape (galaxies, classes); without one, (galaxies, 0)."""


Place = tuple[Columns, int, bool]  # some galaxies, which of them, whether it counts


class BatchReader:
    """A worker's share of one side's galaxies, an epoch at a time.

    Args:
        examples: the side's galaxies, of all workers.
        config: batch size, seed and augmentation.
        label_weights: weight of a galaxy of each label; None: all weigh 1.
        rank: which worker this is.
        num_workers: of how many.
        threads: CPU threads that transform images.
        teacher: what trained models say of the galaxies.
    """

    def __init__(
        self,
        examples: Examples,
        config: TrainConfig,
        label_weights: Sequence[float] | None,
        *,
        rank: int,
        num_workers: int,
        threads: int,
        teacher: Teacher | None = None,
    ) -> None:
        self._examples = examples
        self._teacher = teacher
        self._config = config
        self._label_weights = (
            None if label_weights is None else np.asarray(label_weights, np.float32)
        )
        self._threads = threads
        lanes = Lanes.of_batches(examples.num_galaxies, config.batch_size)
        self.num_steps = lanes.num_steps
        self._lanes = lanes
        self._own_lanes = lanes.of_worker(rank, num_workers)
        image_bytes = 3 * config.decoded_size**2
        self._chunk_size = max(1, MIXED_BYTES // (lanes.num_lanes * image_bytes))
        self.waited_s = 0.0
        """Time that the reader of batches has waited for them, over all epochs."""

    def in_order(self) -> Iterator[Batch]:
        """Give the galaxies as they come and as they are, as in validation."""
        lanes = [self._lane(lane, None) for lane in self._own_lanes]
        return self._ahead(
            self._batch([next(lane) for lane in lanes]) for _ in range(self.num_steps)
        )

    def shuffled(self, epoch: int) -> Iterator[Batch]:
        """Give the galaxies in the order, and as the views, of an epoch.

        Both depend on the seed and the epoch alone: a galaxy has the same place and
        view however many workers there are.
        """
        return self._ahead(self._views(epoch))

    def _views(self, epoch: int) -> Iterator[Batch]:
        config = self._config
        lanes = [
            self._lane(lane, np.random.default_rng([config.seed, epoch, lane, 0]))
            for lane in self._own_lanes
        ]
        rng = np.random.default_rng([config.seed, epoch, 0, 1])
        degrading_rng = np.random.default_rng([config.seed, epoch, 0, 2])
        num_lanes = self._lanes.num_lanes
        with ThreadPoolExecutor(self._threads) as pool:
            for _ in range(self.num_steps):
                places = [next(lane) for lane in lanes]
                drawn = [
                    self._own_lanes.start + index for index in self._in_batch(places)
                ]
                maps = random_transforms(rng, num_lanes, config)[drawn]
                amounts = random_degradations(degrading_rng, num_lanes, config)
                batch = self._batch(places)
                views = augment_images(
                    batch.images,
                    maps,
                    amounts and amounts.of(drawn),
                    config.image_size,
                    pool,
                )
                yield batch._replace(images=views)

    def _batch(self, places: Sequence[Place]) -> Batch:
        """Put one galaxy of every lane that has some left into a batch."""
        places = [places[index] for index in self._in_batch(places)]
        labels = np.stack([rows["label"][i] for rows, i, _ in places])
        labels = labels.astype(np.int32 if labels.ndim == 1 else np.float32)
        counts = np.asarray([counts for *_, counts in places], np.float32)
        object_ids = np.asarray([rows["object_id"][i] for rows, i, _ in places])
        probabilities = np.empty((len(labels), 0), np.float32)
        if self._teacher is not None:
            probabilities = self._teacher.of(object_ids)
        return Batch(
            images=np.stack([rows["image"][i] for rows, i, _ in places]),
            labels=labels,
            weights=self._weights_of(labels) * counts,
            object_ids=object_ids,
            teacher_probabilities=probabilities,
        )

    def _weights_of(self, labels: NDArray[Any]) -> Any:
        return 1.0 if self._label_weights is None else self._label_weights[labels]

    def _in_batch(self, places: Sequence[Place]) -> list[int]:
        """Which places make up a batch: those that count, or else one for the step.

        All of them where batch norm is synchronised: Keras takes every worker's share
        for equally large.
        """
        if self._config.sync_batch_norm:
            return list(range(len(places)))
        return [index for index, (*_, counts) in enumerate(places) if counts] or [0]

    def _lane(self, lane: int, rng: np.random.Generator | None) -> Iterator[Place]:
        """Give a lane's galaxies, then its last one for ever, not to be counted."""
        for numbers in lane_order(self._lanes.bounds(lane), self._chunk_size, rng):
            start = int(numbers.min())
            rows = self._examples.read(start, int(numbers.max()) + 1)
            for number in numbers:
                yield rows, int(number) - start, True
        while True:
            yield rows, int(number) - start, False

    def _ahead(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Prepare batches in a thread; count the time for which none was ready."""
        with ThreadPoolExecutor(1) as thread:
            coming = deque(
                thread.submit(next, batches, None) for _ in range(BATCHES_AHEAD)
            )
            while True:
                asked_s = time.perf_counter()
                batch = coming.popleft().result()
                self.waited_s += time.perf_counter() - asked_s
                if batch is None:
                    return
                coming.append(thread.submit(next, batches, None))
                yield batch
