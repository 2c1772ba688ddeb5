"""One training worker: its share of every batch in, the same model as all workers' out.

After every epoch rank 0 keeps a checkpoint, so that a training whose workers or driver
were lost resumes after the last whole epoch. Imports TensorFlow only when it runs, and
does not know Ray.
"""

import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from galaxy_models.models.card import EMBEDDING_NAME, MODEL_NAME
from galaxy_models.training.batches import BatchReader
from galaxy_models.training.checkpoint import (
    Arrays,
    Checkpoints,
    TrainingState,
    read_state,
    write_state,
)
from galaxy_models.training.distillation import Teacher
from galaxy_models.training.examples import Examples, LostGalaxiesError
from galaxy_models.training.history import (
    FIGURES,
    EpochRow,
    draw_history,
    epoch_line,
    write_history,
)
from galaxy_models.training.plan import Plan
from galaxy_models.training.progress import EpochProgress, TrainingLog
from galaxy_models.training.result import write_litert, write_share
from galaxy_models.training.schedule import ScheduleState, after_epoch
from galaxy_models.training.weight_compression import (
    FLOAT32_MANTISSA_BITS,
    pack_model,
    round_mantissa,
)

if TYPE_CHECKING:  # imports TensorFlow
    from galaxy_models.training.learner import Learner, Sums

DRAW_INTERVAL_S = 60.0  # the plot takes a second, as an epoch of few galaxies does


def train(
    plan: Plan, log: TrainingLog, checkpoints: Checkpoints, rank: int
) -> str | None:
    """Fit the network together with the other workers; keep the best one.

    TensorFlow is started already.

    Args:
        plan: the same for every worker.
        log: where rank 0 reports progress.
        checkpoints: where the training stands after each epoch, and at the end what
            ``result`` describes.
        rank: which worker this is.

    Returns:
        None, or why there is no model, where another try would not help: the loss
        diverged, or the network could not be exported.

    Raises:
        LostGalaxiesError: another try may help.
    """
    from galaxy_models.training.collective import Collective
    from galaxy_models.training.learner import DivergedError, Learner

    collective = Collective(plan.workers.num)  # before anything else of TensorFlow
    request = plan.request
    learner = Learner(
        request.config,
        request.truth.head,
        plan.precision,
        collective,
        members=request.truth.members,
        start=request.start,
    )
    training = Training(plan, learner, log, checkpoints, rank)
    try:
        training.run()
    except DivergedError as error:
        return training.explain(error)
    return training.finish()


class Training:
    """A worker's epochs, from the last checkpoint to the end.

    Args:
        plan: the same for every worker.
        learner: this worker's copy of the network.
        log: where rank 0 reports progress.
        checkpoints: where it keeps its state.
        rank: which worker this is.
    """

    def __init__(
        self,
        plan: Plan,
        learner: "Learner",
        log: TrainingLog,
        checkpoints: Checkpoints,
        rank: int,
    ) -> None:
        self.plan = plan
        self.config = plan.request.config
        self.output = plan.request.output
        self.learner = learner
        self.log = log
        self.checkpoints = checkpoints
        self.rank = rank
        self.training = self._reader(
            plan.training, plan.label_weights, teacher=plan.request.teacher
        )
        self.validation = self._reader(plan.validation, None)
        self.drawn_s = time.monotonic()
        self.state = self._first_state()

    def _reader(
        self, examples: Examples, label_weights: Any, teacher: Teacher | None = None
    ) -> BatchReader:
        return BatchReader(
            examples,
            self.config,
            label_weights,
            rank=self.rank,
            num_workers=self.plan.workers.num,
            threads=self.plan.workers.threads,
            teacher=teacher,
        )

    def _first_state(self) -> TrainingState:
        """Start, or resume from the checkpoint of an earlier attempt."""
        with self.checkpoints.latest() as folder:
            if folder is None:
                schedule = ScheduleState(self.config.learning_rate)
                return self._state(schedule, (), self.learner.weights_to_keep())
            state = read_state(folder)
        self.learner.begin_epoch(only_head=self._only_head(state.num_epochs))
        self.learner.restore(state.weights, state.optimizer, state.averaged_weights)
        if self.rank == 0:
            self.log.say(f"training resumes after epoch {state.num_epochs}")
            write_history(self.output, state.history)
        return state

    def _state(
        self,
        schedule: ScheduleState,
        history: tuple[EpochRow, ...],
        best_weights: Arrays,
    ) -> TrainingState:
        return TrainingState(
            schedule=schedule,
            history=history,
            weights=self.learner.weights(),
            optimizer=self.learner.optimizer_variables(),
            best_weights=best_weights,
            averaged_weights=self.learner.averaged_weights(),
        )

    def run(self) -> None:
        """Train, epoch by epoch, until the last one or until it no longer helps.

        Raises:
            DivergedError: the loss is no longer a number.
        """
        config = self.config
        while (
            self.state.num_epochs < config.epochs
            and not self.state.schedule.is_over(config)
        ):  # fmt: skip
            self._run_epoch(self.state.num_epochs + 1)
            self._keep()
        schedule = self.state.schedule
        if self.rank == 0 and schedule.is_over(config):
            kept = self.state.num_epochs
            if config.restore_best_weights:
                kept = schedule.best_epoch
            self.log.say(
                f"no better validation loss in {schedule.num_without_gain} epochs: "
                f"training ends; epoch {kept} is kept"
            )

    def _only_head(self, epoch: int) -> bool:
        """Whether only new last layers learn in an epoch, from 1."""
        start, config = self.plan.request.start, self.config
        is_new = start is not None and bool(start.new_layers)
        return is_new and epoch <= config.head_epochs

    def _run_epoch(self, epoch: int) -> None:
        config, schedule = self.config, self.state.schedule
        only_head = self._only_head(epoch)
        self.learner.begin_epoch(only_head=only_head)
        rate = config.head_learning_rate if only_head else schedule.learning_rate
        started_s, waited_s = time.perf_counter(), self.training.waited_s
        trained = self.learner.train_epoch(
            self.training.shuffled(epoch), rate, self._progress(epoch)
        )
        seconds = time.perf_counter() - started_s
        evaluated = self.learner.evaluate(self.validation.in_order())
        figure = FIGURES[self.plan.request.truth.head.kind]
        row = _epoch_row(epoch, trained, evaluated, rate, figure)
        row["images_per_s"] = round(trained[2] / seconds, 2)
        row["wait_fraction"] = round((self.training.waited_s - waited_s) / seconds, 4)
        row["epoch_s"] = round(time.perf_counter() - started_s, 2)
        row["unix_s"] = round(time.time(), 1)
        schedule = after_epoch(schedule, epoch, row["val_loss"], config)
        best = self.state.best_weights
        if schedule.is_best() or not config.restore_best_weights:
            best = self.learner.weights_to_keep()
        self.state = self._state(schedule, (*self.state.history, row), best)

    def _progress(self, epoch: int) -> Callable[["Sums"], None]:
        """Say how an epoch stands: once for all workers, whose sums are the same."""
        num_galaxies = self.plan.training.num_galaxies
        say = self.log.say if self.rank == 0 else lambda _: None
        figure = FIGURES[self.plan.request.truth.head.kind]
        return EpochProgress(say, epoch, self.config.epochs, num_galaxies, figure)

    def _keep(self) -> None:
        """Keep the epoch's checkpoint, then show how training stands."""
        row = self.state.history[-1]
        if self.rank != 0:
            self.checkpoints.keep(row, None)
            return
        with tempfile.TemporaryDirectory() as folder:
            write_state(Path(folder), self.state)
            self.checkpoints.keep(row, Path(folder))
        self.log.say(epoch_line(self.state.history, self.config.epochs))
        self.log.show(row)
        write_history(self.output, self.state.history)
        if time.monotonic() - self.drawn_s > DRAW_INTERVAL_S:
            draw_history(self.output, self.state.history, self.plan.title)
            self.drawn_s = time.monotonic()

    def explain(self, error: Exception) -> str:
        """Say where training diverged, and what to do."""
        return (
            f"training diverged in epoch {self.state.num_epochs + 1}: {error} at "
            f"learning rate {self.state.schedule.learning_rate:.1e}. Begin anew with a "
            "lower --learning-rate and --overwrite."
        )

    def finish(self) -> str | None:
        """Report the weights of the best epoch, and what they predict.

        Returns:
            None, or why the network could not be exported.
        """
        from galaxy_models.training.learner import predict_batches

        network = self._finished_network()
        predictions = predict_batches(
            network, self.validation.in_order(), self.plan.request.truth
        )
        failure = None
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            digest = _digest(self.state.weights + self.state.optimizer)
            write_share(folder, self.rank, predictions, digest)
            if self.rank == 0:
                self._write_model(network, folder / MODEL_NAME)
                write_state(folder, self.state)  # a further attempt ends at once
                failure = self._export(network, folder)
            # All ranks report, also where the export failed: they wait for each other.
            self.checkpoints.keep({"finished": 1}, folder)
        return failure

    def _finished_network(self) -> Any:
        """Build the network of the epoch that is kept."""
        from galaxy_models.training.learner import undo_class_weights

        bits = self.config.mantissa_bits
        network = self.learner.finished_network(
            [round_mantissa(weight, bits) for weight in self.state.best_weights]
        )
        if self.config.undo_class_weight:
            weights, head = self.plan.label_weights, self.plan.request.truth.head
            undo_class_weights(network, (weights or ())[: len(head.output_names)])
        return network

    def _write_model(self, network: Any, path: Path) -> None:
        network.save(path)
        if self.config.mantissa_bits < FLOAT32_MANTISSA_BITS:
            path.write_bytes(pack_model(path.read_bytes()))

    def _export(self, network: Any, folder: Path) -> str | None:
        """Write LiteRT files and embedding; return what went wrong, if anything did."""
        from galaxy_models.training.export import (
            embed_training_galaxies,
            export_litert,
        )

        self.log.say("quantising the network for CPUs")
        plan = self.plan
        try:
            files = export_litert(
                network,
                plan.training,
                plan.validation,
                plan.request.truth.head,
                self.config,
            )
            embedding = embed_training_galaxies(
                files, plan.training, self.config.image_size
            )
        except LostGalaxiesError:
            raise
        except Exception as error:  # the converters raise nearly any type
            return f"exporting to LiteRT failed: {type(error).__name__}: {error}"
        write_litert(folder, files)
        if embedding is not None:
            (folder / EMBEDDING_NAME).write_bytes(embedding)
        return None


def _epoch_row(
    epoch: int, trained: "Sums", evaluated: "Sums", learning_rate: float, figure: str
) -> EpochRow:
    """Turn sums over all workers' galaxies into means."""
    row: EpochRow = {"epoch": epoch}
    for prefix, (loss, sum_of_figures, num_galaxies) in (
        ("", trained),
        ("val_", evaluated),
    ):
        row[f"{prefix}loss"] = loss / num_galaxies
        row[f"{prefix}{figure}"] = sum_of_figures / num_galaxies
    row["learning_rate"] = learning_rate
    return row


def _digest(arrays: Arrays) -> str:
    """Name some arrays by their bits."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.hexdigest()
