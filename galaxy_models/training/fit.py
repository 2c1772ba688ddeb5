"""The driver of a training run: check, decode, fit over the workers, write the folder.

Never imports TensorFlow; that is the workers' part.
"""

import dataclasses
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import ray
import ray.train
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from galaxy_models import cluster, model_folder, storage
from galaxy_models.catalog import open_catalog
from galaxy_models.config import TrainConfig
from galaxy_models.errors import TrainingError
from galaxy_models.job_log import JobLog, job_log
from galaxy_models.model_folder import LiteRTRecord, ModelCard
from galaxy_models.training.backend import CollectiveConfig
from galaxy_models.training.examples import SIDES, Shards, decode_shards
from galaxy_models.training.export import export_litert
from galaxy_models.training.history import (
    read_shards,
    validation_metrics,
    write_records,
)
from galaxy_models.training.labels import count_labels
from galaxy_models.training.worker import WorkerPlan, shard_name, train_worker

logger = logging.getLogger(__name__)

RAY_TRAIN_NAME = "_ray_train"  # Ray Train's own files, while it runs


def fit(config: TrainConfig) -> ModelCard:
    """Train a network on a labelled catalog and write its model folder.

    Args:
        config: what ``jobs.train`` was told.

    Returns:
        The card of the model that stands at ``config.output``.

    Raises:
        InputError: catalog, output or resources cannot serve; nothing was begun.
        TrainingError: no image could be decoded, or a worker failed.
    """
    output = storage.check_output(
        config.output, model_folder.CARD_NAME, config.overwrite
    )
    staging_uri = storage.join(output, storage.STAGING_NAME)
    catalog = open_catalog(config, staging_uri, columns=[config.label_column])
    training, validation = count_labels(
        catalog, config.label_column, config.validation_fraction
    )
    classes = tuple(sorted(training + validation))
    logger.info("training on %s; held back %s", _listed(training), _listed(validation))
    with cluster.ray_session() as resources, job_log() as log:
        num_workers, threads = cluster.training_workers(config.num_workers, resources)
        storage.begin_output(output)
        shards = decode_shards(config, catalog, classes, num_workers, log)
        plan = WorkerPlan(
            config=config,
            classes=classes,
            class_weights=class_weights(config.class_weight, training, classes),
            num_training=sum(shard.count() for shard in shards["training"]),
            num_validation=sum(shard.count() for shard in shards["validation"]),
            num_workers=num_workers,
            threads=threads,
        )
        data = {
            "catalog": catalog.uri,
            "fingerprint": catalog.fingerprint,
            "training": dict(training),
            "validation": dict(validation),
            "left_out": catalog.num_rows - plan.num_training - plan.num_validation,
        }
        result = _run_workers(plan, shards, log, output, resources.num_gpus > 0)
        card = _write_folder(plan, data, result, shards, output)
    storage.delete_folder(storage.join(output, RAY_TRAIN_NAME))
    storage.finish_output(output)
    return card


def class_weights(
    mode: str, counts: Counter[str], classes: tuple[str, ...]
) -> tuple[float, ...]:
    """Weight of a galaxy of each class in the training loss.

    Args:
        mode: ``none`` (all 1), or ``balanced``: every class weighs the same in sum,
            and a galaxy 1 on average (King & Zeng 2001, as in scikit-learn).
        counts: training galaxies a class.
        classes: class names in order.

    Returns:
        One weight a class; a class without training galaxies weighs 1.
    """
    if mode == "none":
        return (1.0,) * len(classes)
    mean_count = counts.total() / len(classes)
    return tuple(mean_count / counts[name] if counts[name] else 1.0 for name in classes)


def _run_workers(
    plan: WorkerPlan, shards: Shards, log: JobLog, output: str, use_gpu: bool
) -> ray.train.Result:
    filesystem, path = storage.filesystem_and_path(output)
    trainer = DataParallelTrainer(
        train_worker,
        train_loop_config={"plan": plan, "log": log},
        backend_config=CollectiveConfig(),
        scaling_config=ray.train.ScalingConfig(
            num_workers=plan.num_workers,
            use_gpu=use_gpu,
            resources_per_worker={
                "CPU": plan.threads,
                **({"GPU": 1} if use_gpu else {}),
            },
        ),
        run_config=ray.train.RunConfig(
            name=RAY_TRAIN_NAME, storage_path=path, storage_filesystem=filesystem
        ),
        datasets={
            shard_name(side, rank): shard
            for side, side_shards in shards.items()
            for rank, shard in enumerate(side_shards)
        },
        dataset_config=ray.train.DataConfig(datasets_to_split=[]),
    )
    try:
        return trainer.fit()
    except ray.train.TrainingFailedError as error:
        raise TrainingError(f"training failed: {error}") from error


def _write_folder(
    plan: WorkerPlan,
    data: dict[str, Any],
    result: ray.train.Result,
    shards: Shards,
    output: str,
) -> ModelCard:
    """Write the model folder; its card last, so that a card means a whole folder."""
    config = plan.config
    with result.checkpoint.as_directory() as folder:
        model = (Path(folder) / model_folder.MODEL_NAME).read_bytes()
        history = pd.read_csv(Path(folder) / model_folder.HISTORY_NAME)
        predictions = read_shards(folder, "validation-*.parquet")
    storage.write_bytes(storage.join(output, model_folder.MODEL_NAME), model)
    title = f"{config.network}, {config.image_size} px, {plan.num_training} galaxies"
    write_records(output, history, predictions, title)
    litert = _export(model, shards, predictions, output)
    card = ModelCard(
        network=config.network,
        classes=plan.classes,
        decode_rule=config.decode_rule,
        model_hash=model_folder.hash_model(model),
        training=dataclasses.asdict(config),
        data=data,
        metrics=validation_metrics(predictions, plan.classes),
        litert=litert,
        versions=model_folder.library_versions(),
    )
    model_folder.write_card(output, card)
    return card


def _export(
    model: bytes, shards: Shards, predictions: pd.DataFrame, output: str
) -> dict[str, LiteRTRecord]:
    """Write the LiteRT files, and say how well they agree with the network."""
    logger.info("quantising the network for CPUs")
    sides = (shards[side] for side in SIDES)
    try:
        files = ray.get(export_litert.remote(model, *sides, predictions))
    except ray.exceptions.RayError as error:
        raise TrainingError(f"exporting to LiteRT failed: {error}") from error
    for name, (data, record) in files.items():
        storage.write_bytes(storage.join(output, name), data)
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
