"""A training worker as a process of its own, without Ray: several small trainings.

    python tests/support/worker_process.py OUTPUT.npz

Which of how many workers it is stands in TF_CONFIG; without it the process is alone.
Every array that it saves is named CASE/WHAT.
"""

import json
import os
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galaxy_models.models.tensorflow_runtime import start_tensorflow

start_tensorflow(threads=1, deterministic=True)

import keras  # noqa: E402

from galaxy_models.config import TrainConfig  # noqa: E402
from galaxy_models.models.heads import ClassesHead  # noqa: E402
from galaxy_models.training.batches import Batch, BatchReader  # noqa: E402
from galaxy_models.training.collective import Collective  # noqa: E402
from galaxy_models.training.data_parallel import DataParallelNetwork  # noqa: E402
from galaxy_models.training.examples import Columns, Examples  # noqa: E402
from galaxy_models.training.learner import Learner  # noqa: E402
from galaxy_models.training.schedule import ScheduleState, after_epoch  # noqa: E402

SIZE_PX = 32
NUM_CLASSES = 3
HEAD = ClassesHead(("cigar", "round", "spiral"))
NUM_EPOCHS = 5

Results = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class InMemory(Examples):
    """Made-up galaxies: each class is brighter than the one before it."""

    def read(self, start: int, stop: int) -> Columns:
        numbers = np.arange(start, stop)
        labels = numbers * 7 % NUM_CLASSES
        pixels = np.random.default_rng(0).integers(0, 60, (1000, SIZE_PX, SIZE_PX, 3))
        images = pixels[start:stop] + 60 * labels[:, None, None, None]
        return {"object_id": numbers, "label": labels, "image": images.astype(np.uint8)}


def examples(num_galaxies: int) -> Examples:
    return InMemory(blocks=(), block_sizes=(num_galaxies,))


class Worker:
    """This process's rank, and the trainings that it takes part in."""

    def __init__(self) -> None:
        task = json.loads(os.environ.get("TF_CONFIG", "{}"))
        self.num_workers = len(task["cluster"]["worker"]) if task else 1
        self.rank = task["task"]["index"] if task else 0
        self.collective = Collective(self.num_workers)

    def reader(self, num_galaxies: int, config: TrainConfig) -> BatchReader:
        return BatchReader(
            examples(num_galaxies),
            config,
            [1.0] * NUM_CLASSES,
            rank=self.rank,
            num_workers=self.num_workers,
            threads=1,
        )

    def train(self, num_galaxies: int, num_held_back: int, **flags: Any) -> Results:
        """Train as a worker does; by default LeNet-5, which has no batch norm."""
        flags = {"network": "lenet5", **flags}
        config = TrainConfig(catalog="c", output="o", image_size=SIZE_PX, **flags)
        learner = Learner(
            config, ClassesHead(("a", "b", "c")), "float32", self.collective
        )
        training = self.reader(num_galaxies, config)
        validation = self.reader(num_held_back, config)
        schedule, rows = ScheduleState(config.learning_rate), []
        for epoch in range(1, NUM_EPOCHS + 1):
            trained = learner.train_epoch(
                training.shuffled(epoch), schedule.learning_rate
            )
            evaluated = learner.evaluate(validation.in_order())
            rows.append([*trained, *evaluated, schedule.learning_rate])
            schedule = after_epoch(schedule, epoch, evaluated[0] / evaluated[2], config)
        weights = {f"weights{i}": w for i, w in enumerate(learner.weights())}
        return {"history": np.asarray(rows), **weights}

    def train_small(self, *, sync_batch_norm: bool = False, l2: float = 0) -> Results:
        """Train one convolution, batch norm if there is no L2 term, and classes."""
        keras.utils.set_random_seed(0)
        network = small_network(l2)
        parallel = DataParallelNetwork(
            network,
            keras.optimizers.Adam(1e-3),
            self.collective,
            sync_batch_norm=sync_batch_norm,
        )
        # 8 galaxies a batch, of which the last batch has 5.
        config = TrainConfig(
            catalog="c",
            output="o",
            batch_size=8,
            image_size=SIZE_PX,
            sync_batch_norm=sync_batch_norm,
        )
        reader = self.reader(29, config)
        sums = []
        for epoch in range(1, NUM_EPOCHS + 1):
            for batch in reader.shuffled(epoch):
                sums.append(take_step(parallel, batch))
        names = [weight.path for weight in network.weights]
        return {
            "sums": np.asarray(sums),
            **dict(zip(names, network.get_weights(), strict=True)),
        }


def take_step(parallel: DataParallelNetwork, batch: Batch) -> NDArray[np.float32]:
    return np.asarray(
        parallel.step(
            batch.images, batch.labels, batch.weights, batch.teacher_probabilities
        )
    )


def small_network(l2: float) -> keras.Model:
    images = keras.Input((SIZE_PX, SIZE_PX, 3), dtype="uint8")
    maps = keras.layers.Rescaling(1 / 255)(images)
    maps = keras.layers.Conv2D(
        8, 3, use_bias=False, kernel_regularizer=keras.regularizers.L2(l2), name="conv"
    )(maps)
    if not l2:
        maps = keras.layers.BatchNormalization(momentum=0.9, name="norm")(maps)
    maps = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(maps))
    classes = keras.layers.Dense(NUM_CLASSES, "softmax", name="classes")(maps)
    return keras.Model(images, classes)


def main(output: str) -> None:
    worker = Worker()
    cases = {
        "lenet5": worker.train(50, 21, batch_size=16, plateau_patience=1),
        "uneven": worker.train(50, 21, batch_size=15),
        "few": worker.train(10, 3, batch_size=16),
        "batch_norm": worker.train_small(),
        "sync_batch_norm": worker.train_small(sync_batch_norm=True),
        "l2": worker.train_small(l2=0.1),
    }
    if worker.num_workers == 1:
        for name in ("mobilenet_v1", "mobilenet_v1_again"):
            cases[name] = worker.train(10, 3, network="mobilenet_v1", seed=7)
    arrays = {f"{c}/{what}": a for c, case in cases.items() for what, a in case.items()}
    np.savez(output, allow_pickle=False, **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
