"""The driver of a training run: check, decode, fit over the workers, write the folder.

Never imports TensorFlow; that is the workers' part.
"""

import dataclasses
import logging
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import ray.train
from pandas import DataFrame
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from galaxy_models import storage
from galaxy_models.cluster import session, shared_paths
from galaxy_models.cluster.job_log import JobLog, job_log
from galaxy_models.cluster.metrics import job_metrics
from galaxy_models.cluster.ray_errors import worker_error
from galaxy_models.cluster.resources import check_num_workers, training_workers
from galaxy_models.config import TrainConfig
from galaxy_models.errors import TrainingError
from galaxy_models.models.card import (
    CARD_NAME,
    MODEL_NAME,
    LiteRTRecord,
    ModelCard,
    hash_model,
    library_versions,
)
from galaxy_models.models.folder import TEST_NAME, write_card
from galaxy_models.storage import output_folder, s3
from galaxy_models.tables.catalog import Catalog, open_catalog
from galaxy_models.training.backend import CollectiveConfig
from galaxy_models.training.checkpoint import read_state
from galaxy_models.training.distillation import Teacher, read_teacher
from galaxy_models.training.examples import DECODE_CPUS, decode_examples
from galaxy_models.training.export import export_litert
from galaxy_models.training.fine_tuning import StartingPoint, find_starting_point
from galaxy_models.training.history import (
    fitted_temperature,
    read_shards,
    validation_metrics,
    write_history,
    write_predictions,
    write_table,
)
from galaxy_models.training.labels import (
    Labels,
    label_weights,
    read_labels,
    read_test_labels,
)
from galaxy_models.training.live_figures import LiveFigures
from galaxy_models.training.worker import WorkerPlan, train_worker

logger = logging.getLogger(__name__)

RAY_TRAIN_NAME = "_ray_train"  # Ray Train's own files and checkpoints, while it runs
POLL_VARIABLE = "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"
POLL_INTERVAL_S = "0.2"  # Ray's own 2 s would be the least that an epoch takes
OUTPUT = output_folder.OutputKind(
    job="jobs.train",
    results_name=CARD_NAME,
    version_1_keys=frozenset({"--network", "the set of ids"}),
)
FREE_TO_CHANGE = (
    "output",
    "s3_endpoint_url",
    "epochs",
    "num_workers",
    "max_restarts",
    "resume",
    "overwrite",
)
"""Flags that may differ when an unfinished training goes on."""


def fit(config: TrainConfig) -> ModelCard:
    """Train a network on a labelled catalog and write its model folder.

    Args:
        config: what ``jobs.train`` was told.

    Returns:
        The card of the model that stands at ``config.output``.

    Raises:
        InputError: catalog, output or resources cannot serve; nothing was begun.
        TrainingError: no image could be decoded, training diverged, or workers were
            lost more often than ``config.max_restarts``.
        StorageError: an object store stopped answering.

    Example:
        >>> card = fit(
        ...     TrainConfig(
        ...         catalog="labelled/catalog.csv",
        ...         output="model",
        ...         network="lenet5",
        ...         image_size=32,
        ...         epochs=1,
        ...     )
        ... )
        >>> card.classes
        ('cigar', 'edge_on', 'in_between', 'round', 'spiral')
        >>> card.num_epochs
        1
    """
    resume = config.resume == "auto" and not config.overwrite
    with (
        s3.endpoint(config.s3_endpoint_url),
        output_folder.held_output(
            config.output, OUTPUT, config.overwrite, resume
        ) as output,
        session.joined_cluster() as joined,
    ):
        if joined is not None:
            check_num_workers(config.num_workers, joined)
            shared_paths.check_output(output)
        card = _train(_open_task(config, output, resume))
        storage.delete_folder(storage.join(output, RAY_TRAIN_NAME))
        output_folder.finish_output(output)
    return card


def _open_task(config: TrainConfig, output: str, resume: bool) -> "Task":
    """Check catalog, labels and the model to start from."""
    staging_uri = storage.join(output, output_folder.STAGING_NAME)
    catalog = open_catalog(
        config,
        staging_uri,
        columns=[config.label_column],
        check_files=shared_paths.check_inputs,
    )
    labels = read_labels(catalog, config)
    logger.info("%s", "; ".join(f"{s}: {_listed(n)}" for s, n in labels.counts.items()))
    start = find_starting_point(config, labels.classes)
    teacher = read_teacher(config, catalog, labels.classes)
    return Task(config, output, resume, catalog, labels, start, teacher)


def _train(task: "Task") -> ModelCard:
    """Start Ray, decode, fit and write; all that costs time."""
    config, labels = task.config, task.labels
    with (
        session.ray_session() as resources,
        job_metrics(task.output) as metrics,
        job_log(on_figures=LiveFigures(metrics)) as log,
    ):
        num_workers, threads = training_workers(
            config.num_workers, resources, config.batch_size
        )
        if output_folder.begin_output(task.output, OUTPUT, task.record(), task.resume):
            logger.info("%s holds an unfinished training: it goes on", task.output)
        training, validation = decode_examples(
            config, task.catalog, labels.names, num_workers, log
        )
        use_gpu = resources.num_gpus > 0
        plan = WorkerPlan(
            config=config,
            output=task.output,
            labels=labels,
            label_weights=label_weights(config.class_weight, labels),
            start=task.start,
            teacher=task.teacher,
            training=training,
            validation=validation,
            num_workers=num_workers,
            threads=threads,
            use_gpu=use_gpu,
            precision=_precision(config, use_gpu),
        )
        result = _run_workers(plan, log)
        return _write_folder(plan, task.catalog, result)


@dataclass(frozen=True)
class Task:
    """What was asked for, checked."""

    config: TrainConfig
    output: str
    resume: bool
    catalog: Catalog
    labels: Labels
    start: StartingPoint | None
    teacher: Teacher | None

    def record(self) -> dict[str, Any]:
        """Name everything that decides the weights, but for the number of epochs.

        A cosine runs to the last epoch, so with it that number decides, too.
        """
        config, start, teacher = self.config, self.start, self.teacher
        flags = {
            f"--{name.replace('_', '-')}": value
            for name, value in dataclasses.asdict(config).items()
            if name not in FREE_TO_CHANGE
            or (name == "epochs" and config.schedule == "cosine")
        }
        return {
            **flags,
            "the set of ids": self.catalog.fingerprint,
            **{
                f"{side} galaxies by label": dict(sorted(counts.items()))
                for side, counts in self.labels.counts.items()
            },
            "the hash of the model to start from": start and start.model_hash,
            "the hash of what the teacher says": teacher and teacher.digest,
        }


def _precision(config: TrainConfig, on_gpus: bool) -> str:
    if config.precision != "auto":
        return config.precision
    return "mixed_float16" if on_gpus else "float32"


def _run_workers(plan: WorkerPlan, log: JobLog) -> ray.train.Result:
    """Train; after a loss of workers go on from the last checkpoint."""
    os.environ.setdefault(POLL_VARIABLE, POLL_INTERVAL_S)
    filesystem, path = storage.filesystem_and_path(plan.output)
    trainer = DataParallelTrainer(
        train_worker,
        train_loop_config={"plan": plan, "log": log},
        backend_config=CollectiveConfig(),
        scaling_config=ray.train.ScalingConfig(
            num_workers=plan.num_workers,
            use_gpu=plan.use_gpu,
            # Without GPUs each gets most of a host, so that none should share one.
            placement_strategy="PACK" if plan.use_gpu else "SPREAD",
            resources_per_worker={
                "CPU": plan.threads - DECODE_CPUS,
                **({"GPU": 1} if plan.use_gpu else {}),
            },
        ),
        run_config=ray.train.RunConfig(
            name=RAY_TRAIN_NAME,
            storage_path=path,
            storage_filesystem=filesystem,
            failure_config=ray.train.FailureConfig(
                max_failures=plan.config.max_restarts
            ),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1),
        ),
    )
    try:
        result = trainer.fit()
    except ray.train.TrainingFailedError as error:
        raise worker_error(error) or TrainingError(
            f"training failed: {error}. The same command goes on from the last epoch."
        ) from error
    if result.return_value is not None:
        raise TrainingError(result.return_value)
    return result


def _write_folder(
    plan: WorkerPlan, catalog: Catalog, result: ray.train.Result
) -> ModelCard:
    """Write the model folder; its card last, so that a card means a whole folder."""
    config, output, labels = plan.config, plan.output, plan.labels
    with result.checkpoint.as_directory() as name:
        folder = Path(name)
        _check_equal_workers(folder)
        model = (folder / MODEL_NAME).read_bytes()
        history = read_state(folder).history
        predictions = read_shards(folder, "validation-*.parquet")
    storage.write_bytes(storage.join(output, MODEL_NAME), model)
    write_history(output, history, plan.title)
    write_predictions(output, predictions)
    if config.test_fraction:
        write_table(output, TEST_NAME, read_test_labels(catalog, config))
    litert = _export(model, plan, predictions)
    card = ModelCard(
        network=config.network,
        classes=labels.classes,
        decode_rule=config.decode_rule,
        model_hash=hash_model(model),
        alpha=config.alpha,
        horizontal_flip=config.horizontal_flip,
        vertical_flip=config.vertical_flip,
        training=dataclasses.asdict(config),
        data={
            "catalog": catalog.uri,
            "fingerprint": catalog.fingerprint,
            **{side: dict(counts) for side, counts in labels.counts.items()},
            "left_out": labels.num_to_learn - plan.num_galaxies,
            "start_from": plan.start and plan.start.model_hash,
            "teacher": plan.teacher and plan.teacher.digest,
        },
        metrics=validation_metrics(predictions, labels.classes),
        num_epochs=len(history),
        temperature=fitted_temperature(predictions, labels.classes),
        litert=litert,
        versions=library_versions(),
    )
    write_card(output, card)
    return card


def _check_equal_workers(folder: Path) -> None:
    """Hold the workers' weights against each other, bit for bit."""
    digests = [path.read_text() for path in sorted(folder.glob("weights-*.sha256"))]
    if len(set(digests)) != 1:
        raise TrainingError(
            f"the {len(digests)} workers ended with different weights; do all hosts "
            "have the same versions of TensorFlow and Keras?"
        )


def _export(
    model: bytes, plan: WorkerPlan, predictions: DataFrame
) -> dict[str, LiteRTRecord]:
    """Write the LiteRT files, and say how well they agree with the network."""
    logger.info("quantising the network for CPUs")
    task = export_litert.remote(
        model, plan.config, plan.training, plan.validation, predictions
    )
    try:
        files = ray.get(task)
    except ray.exceptions.RayError as error:
        raise TrainingError(f"exporting to LiteRT failed: {error}") from error
    for name, (data, record) in files.items():
        storage.write_bytes(storage.join(plan.output, name), data)
        logger.info(
            "%s: the network's class for %.1f %% of %d validation galaxies, accuracy "
            "%.3f, %d layer(s) in float",
            name,
            100 * record.agreement,
            record.num_galaxies,
            record.val_accuracy,
            record.num_float_layers,
        )
    return {name: record for name, (_, record) in files.items()}


def _listed(counts: Counter[str]) -> str:
    classes = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    return f"{counts.total()} galaxies ({classes})"
