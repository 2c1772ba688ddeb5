"""One training worker: its shard of galaxies in, the same model as all workers' out.

Every worker runs the same number of steps of the same size (a shard that runs short
is padded with weight 0), or the others would wait for ever in the all-reduce. Imports
TensorFlow only when it runs.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import ray.train
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig
from galaxy_models.job_log import JobLog
from galaxy_models.model_folder import HISTORY_NAME, MODEL_NAME
from galaxy_models.schemas import probability_column
from galaxy_models.tensorflow_runtime import start_tensorflow
from galaxy_models.training import augmentation

SHUFFLE_BUFFER_BYTES = 512 * 2**20  # decoded galaxies that a worker mixes at once
PREFETCHED_BATCHES = 2

Batch = tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.float32]]


@dataclass(frozen=True)
class WorkerPlan:
    """What every worker is told; the same for all."""

    config: TrainConfig
    classes: tuple[str, ...]
    class_weights: tuple[float, ...]
    """Weight of a galaxy of each class in the training loss."""

    num_training: int
    num_validation: int
    """Galaxies on each side, over all workers."""

    num_workers: int
    threads: int
    """CPU threads for each worker."""

    @property
    def batch_size(self) -> int:
        """Galaxies a step and worker."""
        return -(-self.config.batch_size // self.num_workers)

    def num_steps(self, num_galaxies: int) -> int:
        """Steps that the largest shard needs; every worker takes as many."""
        largest_shard = -(-num_galaxies // self.num_workers)
        return -(-largest_shard // self.batch_size)


def shard_name(side: str, rank: int) -> str:
    """Name of the dataset that holds a worker's galaxies of one side."""
    return f"{side}-{rank}"


def train_worker(loop_config: dict[str, Any]) -> None:
    """Fit the network together with the other workers; report the best one.

    Args:
        loop_config: ``plan``, a ``WorkerPlan``, and ``log``, a ``JobLog``.

    Rank 0 reports ``model.keras`` and ``history.csv``; every rank reports its shard
    of the validation predictions.
    """
    plan: WorkerPlan = loop_config["plan"]
    rank = ray.train.get_context().get_world_rank()
    start_tensorflow(plan.threads)

    import keras

    from galaxy_models.networks import build_network
    from galaxy_models.training.data_parallel import Collective, data_parallel

    collective = Collective(plan.num_workers)
    config = plan.config
    keras.utils.set_random_seed(config.seed)  # the same first weights on all ranks
    network = build_network(
        config.network, len(plan.classes), config.image_size, config.alpha
    )
    model = data_parallel(network, collective, config.learning_rate)
    keras.utils.set_random_seed(config.seed + rank)  # but other noise
    training = ShardReader(plan, "training", rank)
    validation = ShardReader(plan, "validation", rank)
    history = model.fit(
        training.dataset(),
        validation_data=validation.dataset(),
        epochs=config.epochs,
        callbacks=[
            keras.callbacks.ReduceLROnPlateau(
                factor=config.plateau_factor, patience=config.plateau_patience
            ),
            keras.callbacks.EarlyStopping(
                patience=config.epochs, restore_best_weights=True
            ),
            keras.callbacks.LambdaCallback(
                on_epoch_end=EpochReport(
                    plan, model, loop_config["log"] if rank == 0 else None
                )
            ),
        ],
        verbose=0,
    )
    _report_result(network, history.history, validation, rank)


class ShardReader:
    """A worker's galaxies of one side, as batches of a fixed number and size.

    Args:
        plan: sizes, classes and weights.
        side: ``training`` (shuffled anew each epoch, augmented, weighted by class) or
            ``validation`` (in order, as they are).
        rank: which worker this is.
    """

    def __init__(self, plan: WorkerPlan, side: str, rank: int) -> None:
        self.plan = plan
        self.rank = rank
        self.is_training = side == "training"
        self._shard = ray.train.get_dataset_shard(shard_name(side, rank))
        self._num_epochs = 0
        self._batches: Iterator[tuple[Any, ...]] = iter(())
        num = plan.num_training if self.is_training else plan.num_validation
        self.num_steps = plan.num_steps(num)
        weights = plan.class_weights if self.is_training else [1.0] * len(plan.classes)
        self._class_weights = np.asarray(weights, np.float32)

    def dataset(self) -> Any:
        """The batches as a ``tf.data.Dataset``; a new order at every pass.

        Not ``from_generator``: its operation sets glibc's M_TRIM_THRESHOLD to 128 kB
        for the whole process, which halves the speed of training (measured: 13
        images/s against 26, half of the time in the kernel).
        """
        import tensorflow as tf

        size, batch = self.plan.config.image_size, self.plan.batch_size
        columns = [
            tf.TensorSpec((batch, size, size, 3), tf.uint8),
            tf.TensorSpec((batch,), tf.int32),
            tf.TensorSpec((batch,), tf.float32),
        ]
        if self.is_training:
            columns.append(tf.TensorSpec((batch, 8), tf.float32))

        def read(step: Any) -> tuple[Any, ...]:
            types = [column.dtype for column in columns]
            tensors = tf.numpy_function(self._next_batch, [step], types)
            for tensor, column in zip(tensors, columns, strict=True):
                tensor.set_shape(column.shape)
            return tuple(tensors)

        dataset = tf.data.Dataset.range(self.num_steps).map(read)
        if self.is_training:
            dataset = dataset.map(_transform, num_parallel_calls=self.plan.threads)
        return dataset.prefetch(PREFETCHED_BATCHES)

    def _next_batch(self, step: int) -> tuple[Any, ...]:
        if step == 0:  # a new epoch
            self._batches = self._augmented() if self.is_training else self.batches()
        return next(self._batches)

    def _augmented(self) -> Iterator[tuple[Any, ...]]:
        config = self.plan.config
        epoch = self._num_epochs
        self._num_epochs += 1
        rng = np.random.default_rng([config.seed, self.rank, epoch])
        for batch in self.batches(shuffle_seed=int(rng.integers(2**31))):
            yield *batch, augmentation.random_transforms(rng, len(batch[1]), config)

    def batches(self, shuffle_seed: int | None = None) -> Iterator[Batch]:
        """Give exactly ``num_steps`` batches, the last ones padded with weight 0."""
        num_given = 0
        for rows in self.rows(shuffle_seed):
            labels = rows["label"].astype(np.int32)
            weights = self._class_weights[labels]
            batch = pad_batch(rows["image"], labels, weights, self.plan.batch_size)
            yield batch
            num_given += 1
        images, labels, weights = batch  # a shard has a galaxy at least
        for _ in range(self.num_steps - num_given):
            yield images, labels, np.zeros_like(weights)

    def rows(self, shuffle_seed: int | None = None) -> Iterator[dict[str, Any]]:
        """Give this worker's rows as NumPy columns, a batch at a time."""
        size = self.plan.config.image_size
        buffer = max(self.plan.batch_size, SHUFFLE_BUFFER_BYTES // (3 * size * size))
        shuffled = shuffle_seed is not None
        batches = self._shard.iter_batches(
            batch_size=self.plan.batch_size,
            local_shuffle_buffer_size=buffer if shuffled else None,
            local_shuffle_seed=shuffle_seed,
        )
        yield from batches


def pad_batch(
    images: NDArray[np.uint8],
    labels: NDArray[np.int32],
    weights: NDArray[np.float32],
    batch_size: int,
) -> Batch:
    """Fill a short batch up with its own galaxies, at weight 0.

    Black frames would do for the loss, but not for batch normalisation, which sees
    every row.

    Args:
        images: uint8, shape (galaxies, size, size, 3).
        labels: int32, shape (galaxies,).
        weights: float32, shape (galaxies,).
        batch_size: galaxies to come out, at least as many.
    """
    index = np.arange(batch_size) % len(labels)
    is_padding = np.arange(batch_size) >= len(labels)
    return images[index], labels[index], np.where(is_padding, 0, weights[index])


def _transform(images: Any, labels: Any, weights: Any, transforms: Any) -> Any:
    return augmentation.transform_images(images, transforms), labels, weights


class EpochReport:
    """Say after each epoch how training stands; rank 0 also into the job's log."""

    def __init__(self, plan: WorkerPlan, model: Any, log: JobLog | None) -> None:
        self._plan = plan
        self._model = model
        self._log = log
        self._started_s = self._last_s = time.monotonic()

    def __call__(self, epoch: int, logs: dict[str, float]) -> None:
        """Report epoch number ``epoch`` (from 0) with its metrics."""
        num_done, total = epoch + 1, self._plan.config.epochs
        now_s = time.monotonic()
        elapsed_s, left = now_s - self._started_s, total - num_done
        if self._log is not None:
            rate = float(self._model.optimizer.learning_rate)
            images_per_s = self._plan.num_training / (now_s - self._last_s)
            self._log.say(
                f"epoch {num_done}/{total}: loss {logs['loss']:.4f} accuracy "
                f"{logs['accuracy']:.3f}, validation loss {logs['val_loss']:.4f} "
                f"accuracy {logs['val_accuracy']:.3f}, rate {rate:.1e}, "
                f"{images_per_s:.0f} images/s, {elapsed_s / num_done * left:.0f} s left"
            )
        self._last_s = now_s
        ray.train.report({"epoch": num_done, **logs})


def _report_result(
    network: Any, history: dict[str, list[float]], validation: ShardReader, rank: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        predictions = _predict_validation(network, validation)
        predictions.to_parquet(Path(folder) / f"validation-{rank:05d}.parquet")
        if rank == 0:
            network.save(Path(folder) / MODEL_NAME)
            table = pd.DataFrame(history)
            table.insert(0, "epoch", np.arange(1, len(table) + 1))
            table.to_csv(Path(folder) / HISTORY_NAME, index=False)
        checkpoint = ray.train.Checkpoint.from_directory(folder)
        ray.train.report({"finished": 1}, checkpoint=checkpoint)


def _predict_validation(network: Any, validation: ShardReader) -> pd.DataFrame:
    """Predict this worker's validation galaxies with the weights that were kept."""
    classes = np.asarray(validation.plan.classes)
    predict: Callable[[Any], Any] = network.predict_on_batch
    tables = []
    for rows in validation.rows():
        probabilities = predict(rows["image"])
        columns = {
            "object_id": rows["object_id"],
            "label": classes[rows["label"]],
            "predicted_class": classes[probabilities.argmax(axis=1)],
        }
        for index, name in enumerate(classes):
            columns[probability_column(name)] = probabilities[:, index]
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables)  # a shard has a galaxy at least
