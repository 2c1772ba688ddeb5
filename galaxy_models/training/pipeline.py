"""The driver of a training run: check, decode, fit over the workers, write the folder.

Never imports TensorFlow, which is the workers' part, nor, unless a plan needs it, Ray.
"""

import dataclasses
import logging
from functools import partial

from galaxy_models import storage
from galaxy_models.cluster import shared_paths
from galaxy_models.cluster.place import chosen_machines, joined_cluster
from galaxy_models.cluster.resources import Resources, check_num_workers
from galaxy_models.config import TrainConfig
from galaxy_models.errors import OutputError
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
from galaxy_models.models.folder import FILE_NAMES, TEST_NAME, write_card
from galaxy_models.storage import output_folder, s3_settings
from galaxy_models.training.embedding_fit import MAX_GALAXIES, record_of
from galaxy_models.training.fine_tuning import START_HASH
from galaxy_models.training.history import (
    TENSORBOARD_NAME,
    draw_history,
    write_history,
    write_table,
)
from galaxy_models.training.plan import (
    CHECKPOINTS_NAME,
    RAY_TRAIN_NAME,
    Plan,
    Workers,
    ends_sooner_here,
    is_begun_by_ray,
)
from galaxy_models.training.request import (
    Request,
    open_request,
    without_later_flags,
)
from galaxy_models.training.result import Result
from galaxy_models.training.validation import (
    log_agreement,
    val_metrics,
    val_plausible,
    val_temperature,
    write_validation,
)

logger = logging.getLogger(__name__)

OUTPUT = output_folder.OutputKind(
    job="jobs.train",
    results_name=CARD_NAME,
    names=(*FILE_NAMES, TENSORBOARD_NAME, RAY_TRAIN_NAME, CHECKPOINTS_NAME),
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
        s3_settings.endpoint(config.s3_endpoint_url),
        output_folder.held_output(
            config.output, OUTPUT, config.overwrite, resume
        ) as output,
        joined_cluster(config.plan) as joined,
    ):
        if joined is not None:
            check_num_workers(config.num_workers, joined)
            shared_paths.check_output(output)
        card = _train(open_request(config, output, resume), joined)
        for name in (RAY_TRAIN_NAME, CHECKPOINTS_NAME):
            storage.delete_folder(storage.join(output, name))
        output_folder.finish_output(output)
    return card


def _train(request: Request, joined: Resources | None) -> ModelCard:
    """Decode, fit and write; all that costs time."""
    config = request.config
    with chosen_machines(config.plan, partial(ends_sooner_here, request), joined) as (
        machine,
        is_local,
    ):
        workers = (
            Workers.alone(machine) if is_local else Workers.fitting(config, machine)
        )
        if begin(request):
            if is_local and is_begun_by_ray(request):
                raise OutputError(
                    "--plan local: Ray's workers began the unfinished training in "
                    f"{request.output}; resume it with --plan ray, or begin anew with "
                    "--overwrite."
                )
            logger.info(
                "%s holds an unfinished training: it is resumed", request.output
            )
        if is_local:
            from galaxy_models.training.local import train_here as train
        else:
            from galaxy_models.training.on_ray import train_on_ray as train
        return _write_folder(*train(request, workers))


def begin(request: Request) -> bool:
    """Mark the model folder as begun; return whether an earlier training resumes."""
    resume_key, output = request.resume_key(), request.output
    marker = output_folder.read_marker(output, OUTPUT) if request.resume else None
    if marker is not None and marker.is_emptied:
        resume_key = without_later_flags(resume_key, marker.resume_key)
    return output_folder.begin_output(output, OUTPUT, resume_key, request.resume)


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
            START_HASH: request.start and request.start.hashes[0],
            "average_with": request.start.hashes[1:] if request.start else [],
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
