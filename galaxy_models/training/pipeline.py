"""The driver of a training run: check, decode, fit over the workers, write the folder.

Never imports TensorFlow; that is the workers' part.
"""

import dataclasses
import logging
import os
from pathlib import Path

import ray
import ray.train

from galaxy_models import storage
from galaxy_models.cluster import session, shared_paths
from galaxy_models.cluster.job_log import JobLog, job_log
from galaxy_models.cluster.metrics import job_metrics
from galaxy_models.cluster.ray_errors import worker_error
from galaxy_models.cluster.resources import check_num_workers
from galaxy_models.config import TrainConfig
from galaxy_models.errors import TrainingError
from galaxy_models.models.card import (
    CARD_NAME,
    EMBEDDING_NAME,
    MODEL_NAME,
    EmbeddingRecord,
    ModelCard,
    hash_model,
    head_fields,
    library_versions,
)
from galaxy_models.models.folder import TEST_NAME, write_card
from galaxy_models.storage import output_folder, s3
from galaxy_models.training.backend import CollectiveConfig
from galaxy_models.training.embedding_fit import MAX_GALAXIES, record_of
from galaxy_models.training.examples import decode_examples
from galaxy_models.training.history import (
    draw_history,
    write_history,
    write_table,
)
from galaxy_models.training.live_figures import LiveFigures
from galaxy_models.training.plan import Plan, Workers
from galaxy_models.training.progress import DecodeProgress
from galaxy_models.training.request import (
    Request,
    open_request,
    without_later_flags,
)
from galaxy_models.training.result import Result, read_result
from galaxy_models.training.trainer import Trainer
from galaxy_models.training.validation import (
    log_agreement,
    val_metrics,
    val_plausible,
    val_temperature,
    write_validation,
)
from galaxy_models.training.worker import train_worker

logger = logging.getLogger(__name__)

RAY_TRAIN_NAME = "_ray_train"  # Ray Train's own files and checkpoints, while it runs
POLL_VARIABLE = "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"
POLL_INTERVAL_S = "0.2"  # Ray's own 2 s would be the least that an epoch takes
OUTPUT = output_folder.OutputKind(
    job="jobs.train",
    results_name=CARD_NAME,
    version_1_keys=frozenset({"--network", "the set of ids"}),
)


def fit(config: TrainConfig) -> ModelCard:
    """Train a network on a labelled catalog and write its model folder.

    Args:
        config: the flags of ``jobs.train``.

    Returns:
        The card of the model at ``config.output``.

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
        card = _train(open_request(config, output, resume))
        storage.delete_folder(storage.join(output, RAY_TRAIN_NAME))
        output_folder.finish_output(output)
    return card


def _train(request: Request) -> ModelCard:
    """Start Ray, decode, fit and write; all that costs time."""
    config = request.config
    decoding = DecodeProgress(request.truth.num_to_learn)
    with (
        session.ray_session() as resources,
        job_metrics(request.output) as metrics,
        job_log(decoding, LiveFigures(metrics)) as log,
    ):
        workers = Workers.fitting(config, resources)
        if begin(request):
            logger.info(
                "%s holds an unfinished training: it is resumed", request.output
            )
        training, validation = decode_examples(request, workers.num, log)
        plan = Plan(request, workers, training, validation)
        return _write_folder(plan, _run_workers(plan, log))


def begin(request: Request) -> bool:
    """Mark the model folder as begun; return whether an earlier training resumes."""
    resume_key, output = request.resume_key(), request.output
    marker = output_folder.read_marker(output, OUTPUT) if request.resume else None
    if marker is not None and marker.is_emptied:
        resume_key = without_later_flags(resume_key, marker.resume_key)
    return output_folder.begin_output(output, OUTPUT, resume_key, request.resume)


def _run_workers(plan: Plan, log: JobLog) -> Result:
    """Train; after a loss of workers resume from the last checkpoint.

    Raises:
        TrainingError: training diverged, the export failed, or workers were lost too
            often.
    """
    os.environ.setdefault(POLL_VARIABLE, POLL_INTERVAL_S)
    request = plan.request
    filesystem, path = storage.filesystem_and_path(request.output)
    trainer = Trainer(
        train_worker,
        train_loop_config={"plan": plan, "log": log},
        backend_config=CollectiveConfig(),
        scaling_config=plan.workers.scaling_config(),
        run_config=ray.train.RunConfig(
            name=RAY_TRAIN_NAME,
            storage_path=path,
            storage_filesystem=filesystem,
            failure_config=ray.train.FailureConfig(
                max_failures=request.config.max_restarts
            ),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1),
        ),
    )
    try:
        reported = trainer.fit()
    except ray.train.TrainingFailedError as error:
        raise worker_error(error) or TrainingError(
            f"training failed: {error}. The same command resumes from the last epoch."
        ) from error
    if reported.return_value is not None:
        raise TrainingError(reported.return_value)
    with reported.checkpoint.as_directory() as folder:
        return read_result(Path(folder))


def _write_folder(plan: Plan, result: Result) -> ModelCard:
    """Write the model folder; its card last, so that a card means a whole folder."""
    request = plan.request
    output = request.output
    storage.write_bytes(storage.join(output, MODEL_NAME), result.model)
    write_history(output, result.history)
    draw_history(output, result.history, plan.title)
    write_validation(output, result.predictions, request.truth.head)
    if request.config.test_fraction:
        held_back = request.truth.read_test_rows(request.catalog, request.config)
        write_table(output, TEST_NAME, held_back)
    for name, file in result.litert.items():
        storage.write_bytes(storage.join(output, name), file.data)
    if result.embedding is not None:
        storage.write_bytes(storage.join(output, EMBEDDING_NAME), result.embedding)
    card = _card(plan, result)
    write_card(output, card)
    return card


def _card(plan: Plan, result: Result) -> ModelCard:
    """Describe the model: what it was trained on, and how well it predicts."""
    request = plan.request
    config, catalog, truth = request.config, request.catalog, request.truth
    head = truth.head
    temperature = val_temperature(result.predictions, head)
    litert = result.litert_records(head)
    for name, record in litert.items():
        log_agreement(name, record)
    return ModelCard(
        network=config.network,
        **head_fields(head),
        decode_rule=config.decode_rule,
        model_hash=hash_model(result.model),
        alpha=config.alpha,
        hidden_units=config.hidden_units,
        horizontal_flip=config.horizontal_flip,
        vertical_flip=config.vertical_flip,
        training=dataclasses.asdict(config),
        data={
            "catalog": catalog.uri,
            "fingerprint": catalog.fingerprint,
            **{side: dict(counts) for side, counts in truth.counts.items()},
            "left_out": truth.num_to_learn - plan.num_galaxies,
            "start_from": request.start and request.start.card.model_hash,
            "teacher": request.teacher and request.teacher.digest,
        },
        metrics=val_metrics(result.predictions, head),
        num_epochs=len(result.history),
        temperature=temperature,
        plausible_probability=val_plausible(result.predictions, head, temperature),
        litert=litert,
        embedding=_embedding_record(plan, result),
        versions=library_versions(),
    )


def _embedding_record(plan: Plan, result: Result) -> EmbeddingRecord | None:
    if result.embedding is None:
        return None
    num_galaxies = min(plan.training.num_galaxies, MAX_GALAXIES)
    return record_of(result.embedding, num_galaxies, plan.request.catalog.uri)
