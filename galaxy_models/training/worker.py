"""One training worker: its share of every batch in, the same model as all workers' out.

After every epoch rank 0 keeps a checkpoint, so that a training whose workers or
driver were lost goes on after the last whole epoch. Imports TensorFlow only when it
runs.
"""

import hashlib
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import ray.train

from galaxy_models.cluster.job_log import JobLog
from galaxy_models.config import TrainConfig
from galaxy_models.models.card import MODEL_NAME
from galaxy_models.models.tensorflow_runtime import start_tensorflow
from galaxy_models.training.batches import BatchReader
from galaxy_models.training.checkpoint import (
    Arrays,
    TrainingState,
    read_state,
    write_state,
)
from galaxy_models.training.distillation import Teacher
from galaxy_models.training.examples import Examples
from galaxy_models.training.fine_tuning import StartingPoint
from galaxy_models.training.history import EpochRow, write_history
from galaxy_models.training.labels import Labels
from galaxy_models.training.schedule import Standing, after_epoch
from galaxy_models.training.weight_compression import (
    FLOAT32_MANTISSA_BITS,
    pack_model,
    round_mantissa,
)

if TYPE_CHECKING:  # imports TensorFlow
    from galaxy_models.training.learner import Learner, Sums

DIGEST_NAME = "weights-{rank:05d}.sha256"
PREDICTIONS_NAME = "validation-{rank:05d}.parquet"


@dataclass(frozen=True)
class WorkerPlan:
    """What every worker is told; the same for all."""

    config: TrainConfig
    output: str
    """URI of the model folder, where rank 0 shows how training goes."""

    labels: Labels
    label_weights: tuple[float, ...]
    """Weight of a galaxy of each label in the training loss."""

    start: StartingPoint | None
    teacher: Teacher | None
    training: Examples
    validation: Examples
    num_workers: int
    threads: int
    """CPU threads for each worker."""

    use_gpu: bool
    """Whether each worker has one."""

    precision: str
    """Keras dtype policy."""

    @property
    def num_galaxies(self) -> int:
        """Galaxies that could be decoded."""
        return self.training.num_galaxies + self.validation.num_galaxies

    @property
    def title(self) -> str:
        """What the plot of the history is called."""
        size, num_galaxies = self.config.image_size, self.training.num_galaxies
        return f"{self.config.network}, {size} px, {num_galaxies} galaxies"


def train_worker(loop_config: dict[str, Any]) -> str | None:
    """Fit the network together with the other workers; report the best one.

    Args:
        loop_config: ``plan``, a ``WorkerPlan``, and ``log``, a ``JobLog``.

    Returns:
        None, or why there is no model: the loss diverged, which another try would not
        mend. (An exception has Ray Train try again.)

    Rank 0 reports ``model.keras`` and the last state; every rank reports a digest of
    its weights and its share of the validation predictions.
    """
    plan: WorkerPlan = loop_config["plan"]
    start_tensorflow(
        plan.threads, use_gpus=plan.use_gpu, deterministic=not plan.use_gpu
    )

    from galaxy_models.training.collective import Collective
    from galaxy_models.training.learner import DivergedError, Learner

    collective = Collective(plan.num_workers)  # before anything else of TensorFlow
    learner = Learner(
        plan.config,
        len(plan.labels.classes),
        plan.precision,
        collective,
        members=plan.labels.members,
        start=plan.start,
    )
    rank = ray.train.get_context().get_world_rank()
    training = Training(plan, learner, loop_config["log"], rank)
    try:
        training.run()
    except DivergedError as error:
        return training.explain(error)
    training.finish()
    return None


class Training:
    """A worker's epochs, from the last checkpoint to the end.

    Args:
        plan: what every worker is told.
        learner: this worker's copy of the network.
        log: where rank 0 says how training stands.
        rank: which worker this is.
    """

    def __init__(
        self, plan: WorkerPlan, learner: "Learner", log: JobLog, rank: int
    ) -> None:
        self.plan = plan
        self.learner = learner
        self.log = log
        self.rank = rank
        self.training = self._reader(
            plan.training, plan.label_weights, teacher=plan.teacher
        )
        self.validation = self._reader(plan.validation, [1.0] * len(plan.labels.names))
        self.state = self._first_state()

    def _reader(
        self, examples: Examples, label_weights: Any, teacher: Teacher | None = None
    ) -> BatchReader:
        return BatchReader(
            examples,
            self.plan.config,
            label_weights,
            rank=self.rank,
            num_workers=self.plan.num_workers,
            threads=self.plan.threads,
            teacher=teacher,
        )

    def _first_state(self) -> TrainingState:
        """Begin anew, or go on from the checkpoint of an earlier attempt."""
        checkpoint = ray.train.get_checkpoint()
        if checkpoint is None:
            standing = Standing(self.plan.config.learning_rate)
            return self._state(standing, (), self.learner.weights_to_keep())
        with checkpoint.as_directory() as folder:
            state = read_state(Path(folder))
        self.learner.begin_epoch(only_head=self._only_head(state.num_epochs))
        self.learner.restore(state.weights, state.optimizer, state.means)
        if self.rank == 0:
            self.log.say(f"training goes on after epoch {state.num_epochs}")
            write_history(self.plan.output, state.history, self.plan.title)
        return state

    def _state(
        self,
        standing: Standing,
        history: tuple[EpochRow, ...],
        best_weights: Arrays,
    ) -> TrainingState:
        return TrainingState(
            standing=standing,
            history=history,
            weights=self.learner.weights(),
            optimizer=self.learner.optimizer_variables(),
            best_weights=best_weights,
            means=self.learner.means(),
        )

    def run(self) -> None:
        """Train, epoch by epoch, until the last one or until it no longer helps.

        Raises:
            DivergedError: the loss is no longer a number.
        """
        config = self.plan.config
        while (
            self.state.num_epochs < config.epochs
            and not self.state.standing.is_over(config)
        ):  # fmt: skip
            self._run_epoch(self.state.num_epochs + 1)
            self._keep()
        standing = self.state.standing
        if self.rank == 0 and standing.is_over(config):
            self.log.say(
                f"no better validation loss in {standing.num_without_gain} epochs: "
                f"training ends; epoch {standing.best_epoch} is kept"
            )

    def _only_head(self, epoch: int) -> bool:
        """Whether only a new last layer learns in an epoch, from 1."""
        start, config = self.plan.start, self.plan.config
        is_new = start is not None and start.has_new_head
        return is_new and epoch <= config.head_epochs

    def _run_epoch(self, epoch: int) -> None:
        config, standing = self.plan.config, self.state.standing
        only_head = self._only_head(epoch)
        self.learner.begin_epoch(only_head=only_head)
        rate = config.head_learning_rate if only_head else standing.learning_rate
        started_s, waited_s = time.perf_counter(), self.training.waited_s
        learned = self.learner.learn(self.training.shuffled(epoch), rate)
        seconds = time.perf_counter() - started_s
        judged = self.learner.judge(self.validation.in_order())
        row = _epoch_row(epoch, learned, judged, rate)
        row["images_per_s"] = round(learned[2] / seconds, 2)
        row["wait_fraction"] = round((self.training.waited_s - waited_s) / seconds, 4)
        row["epoch_s"] = round(time.perf_counter() - started_s, 2)
        row["unix_s"] = round(time.time(), 1)
        standing = after_epoch(standing, epoch, row["val_loss"], config)
        best = self.state.best_weights
        if standing.is_best():
            best = self.learner.weights_to_keep()
        self.state = self._state(standing, (*self.state.history, row), best)

    def _keep(self) -> None:
        """Hand the epoch's checkpoint to Ray Train, then show how training stands."""
        row = self.state.history[-1]
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = None
            if self.rank == 0:
                write_state(Path(folder), self.state)
                checkpoint = ray.train.Checkpoint.from_directory(folder)
            ray.train.report(dict(row), checkpoint=checkpoint)
        if self.rank == 0:
            self.log.say(_epoch_line(self.state.history, self.plan.config.epochs))
            self.log.show(row)
            write_history(self.plan.output, self.state.history, self.plan.title)

    def explain(self, error: Exception) -> str:
        """Say where training diverged, and what to do."""
        return (
            f"training diverged in epoch {self.state.num_epochs + 1}: {error} at "
            f"learning rate {self.state.standing.learning_rate:.1e}. Begin anew with a "
            "lower --learning-rate and --overwrite."
        )

    def finish(self) -> None:
        """Report the weights of the best epoch, and what they predict."""
        from galaxy_models.training.learner import undo_class_weights

        plan, bits = self.plan, self.plan.config.mantissa_bits
        network = self.learner.finished_network(
            [round_mantissa(weight, bits) for weight in self.state.best_weights]
        )
        if plan.config.undo_class_weight:
            undo_class_weights(network, plan.label_weights[: len(plan.labels.classes)])
        predictions = predictions_of(network, self.validation, plan.labels)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            predictions.to_parquet(folder / PREDICTIONS_NAME.format(rank=self.rank))
            digest = _digest(self.state.weights + self.state.optimizer)
            (folder / DIGEST_NAME.format(rank=self.rank)).write_text(digest)
            if self.rank == 0:
                network.save(folder / MODEL_NAME)
                if bits < FLOAT32_MANTISSA_BITS:
                    whole = (folder / MODEL_NAME).read_bytes()
                    (folder / MODEL_NAME).write_bytes(pack_model(whole))
                write_state(folder, self.state)  # a further attempt ends at once
            checkpoint = ray.train.Checkpoint.from_directory(folder)
            ray.train.report({"finished": 1}, checkpoint=checkpoint)


def predictions_of(
    network: Any, validation: BatchReader, labels: Labels
) -> pd.DataFrame:
    """Predict this worker's validation galaxies."""
    from galaxy_models.training.learner import predict_batches

    return predict_batches(network, validation.in_order(), labels)


def _epoch_row(
    epoch: int, learned: "Sums", judged: "Sums", learning_rate: float
) -> EpochRow:
    """Turn sums over all workers' galaxies into means."""
    row: EpochRow = {"epoch": epoch}
    for prefix, (loss, num_correct, num_galaxies) in (("", learned), ("val_", judged)):
        row[f"{prefix}loss"] = loss / num_galaxies
        row[f"{prefix}accuracy"] = num_correct / num_galaxies
    row["learning_rate"] = learning_rate
    return row


def _epoch_line(history: tuple[EpochRow, ...], num_epochs: int) -> str:
    row = history[-1]
    mean_s = sum(past["epoch_s"] for past in history) / len(history)
    return (
        f"epoch {row['epoch']}/{num_epochs}: loss {row['loss']:.4f} accuracy "
        f"{row['accuracy']:.3f}, validation loss {row['val_loss']:.4f} accuracy "
        f"{row['val_accuracy']:.3f}, rate {row['learning_rate']:.1e}, "
        f"{row['images_per_s']:.0f} images/s, {100 * row['wait_fraction']:.0f} % of it "
        f"waiting for data, {mean_s * (num_epochs - row['epoch']):.0f} s left"
    )


def _digest(arrays: Arrays) -> str:
    """Name some arrays by their bits."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()
