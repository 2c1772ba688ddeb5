"""The driver of a scoring run: the stages in the order in which a galaxy meets them.

Never imports TensorFlow; that is the actors' part.
"""

import logging
import time
from typing import Any

import ray
import ray.data

from galaxy_models import cluster, model_folder, object_store, storage
from galaxy_models.catalog import Catalog, open_catalog, stream_rows
from galaxy_models.config import ScoreConfig
from galaxy_models.errors import CatalogError, ConfigError, ScoringError
from galaxy_models.job_log import JobLog, job_log
from galaxy_models.model_folder import ModelCard
from galaxy_models.schemas import predictions_schema
from galaxy_models.scoring.engines import LITERT_FILES, load_engine
from galaxy_models.scoring.plan import (
    ACTOR_CPUS,
    READ_CPUS,
    WRITE_CPUS,
    StagePlan,
    plan_stages,
)
from galaxy_models.scoring.predictor import (
    FusedPredictor,
    Predictor,
    PredictorPlan,
    decode_rows,
)
from galaxy_models.scoring.progress import Progress
from galaxy_models.scoring.run_record import (
    RUN_RECORD_NAME,
    RunRecord,
    count_predictions,
    write_run_record,
)

logger = logging.getLogger(__name__)

REQUEST_ATTEMPTS = 1  # Ray itself tries again, 10 times in 3 minutes


def score(config: ScoreConfig) -> RunRecord:
    """Predict every galaxy of a catalog.

    Args:
        config: what ``jobs.score`` was told.

    Returns:
        What was done; also in ``_run.json`` beside the predictions.

    Raises:
        InputError: catalog, model, output or resources cannot serve; nothing was
            begun.
        ScoringError: rows were lost, or too many images failed.
        StorageError: an object store stopped answering.
    """
    object_store.use_endpoint(config.s3_endpoint_url)
    output = storage.check_output(config.output, RUN_RECORD_NAME, config.overwrite)
    card = model_folder.read_card(config.model)
    _check_decode_rule(config, card)
    staging_uri = storage.join(output, storage.STAGING_NAME)
    catalog = open_catalog(config, staging_uri, columns=config.keep)
    keep = tuple(map(catalog.column, config.keep))
    _check_kept_columns(keep, catalog, card)
    with cluster.ray_session() as resources:
        stages = plan_stages(config, card, resources, catalog.num_rows)
        plan = PredictorPlan(
            model_uri=storage.absolute_uri(config.model),
            catalog=catalog,
            keep=keep,
            classes=card.classes,
            decode_rule=card.decode_rule,
            engine=stages.engine,
            threads=stages.threads,
            batch_size=stages.batch_size,
            on_gpus=stages.on_gpus,
        )
        _check_engine(plan)
        storage.begin_output(output, {})
        logger.info(
            "scoring %d galaxies with %s: %s",
            catalog.num_rows,
            card.network,
            stages.described(),
        )
        started_s = time.monotonic()
        with job_log(Progress(catalog.num_rows, config.progress_interval_s)) as log:
            _run_pipeline(config, plan, stages, output, log)
        seconds = time.monotonic() - started_s
    return _conclude(config, catalog, card, stages.engine, output, seconds)


def _check_decode_rule(config: ScoreConfig, card: ModelCard) -> None:
    """Refuse to decode galaxies in another way than the network has seen them."""
    for name in ("fits_bands", "fits_stretch", "fits_q"):
        asked, trained = getattr(config, name), getattr(card.decode_rule, name)
        if asked is not None and asked != trained:
            raise ConfigError(
                f"--{name.replace('_', '-')} {_shown(asked)}: the model {config.model} "
                f"was trained with {_shown(trained)}; leave the flag out, or train a "
                "model with it."
            )


def _shown(value: object) -> str:
    return (" ".join(value) or "none") if isinstance(value, tuple) else str(value)


def _check_engine(plan: PredictorPlan) -> None:
    """Load a LiteRT file once, here, where a misfit is told before work begins."""
    if plan.engine in LITERT_FILES:
        load_engine(plan.engine, plan.model_uri, threads=1)


def _run_pipeline(
    config: ScoreConfig,
    plan: PredictorPlan,
    stages: StagePlan,
    output: str,
    log: JobLog,
) -> None:
    filesystem, path = storage.filesystem_and_path(output, REQUEST_ATTEMPTS)
    rows = _read_rows(plan, stages)
    predict = _predict_in_two_stages if stages.two_stage else _predict_in_one_stage
    try:
        predict(rows, plan, stages, log).write_parquet(
            path,
            filesystem=filesystem,
            try_create_dir=False,  # a directory key on S3 breaks pandas
            min_rows_per_file=config.rows_per_file,
            ray_remote_args={"num_cpus": WRITE_CPUS},
            arrow_parquet_args_fn=parquet_options,
        )
    except ray.exceptions.RayError as error:
        store_failure = object_store.failure_in(str(error))
        raise store_failure or ScoringError(f"scoring stopped: {error}") from error


def _read_rows(plan: PredictorPlan, stages: StagePlan) -> Any:
    catalog = plan.catalog
    return stream_rows(
        catalog,
        columns=[catalog.id_column, catalog.image_column, *plan.keep],
        num_blocks=-(-catalog.num_rows // stages.rows_per_block),
        num_cpus=READ_CPUS,
    )


def _predict_in_one_stage(
    rows: Any, plan: PredictorPlan, stages: StagePlan, log: JobLog
) -> Any:
    return rows.map_batches(
        FusedPredictor, batch_size=None, **_actors(plan, stages, log)
    )


def _predict_in_two_stages(
    rows: Any, plan: PredictorPlan, stages: StagePlan, log: JobLog
) -> Any:
    decoded = rows.map_batches(
        decode_rows,
        fn_kwargs={"plan": plan},
        batch_size=stages.batch_size,
        batch_format="pyarrow",
        num_cpus=stages.decode_cpus,
    )
    return decoded.map_batches(
        Predictor, batch_size=stages.batch_size, **_actors(plan, stages, log)
    )


def _actors(plan: PredictorPlan, stages: StagePlan, log: JobLog) -> dict[str, Any]:
    """How ``map_batches`` runs the predicting actors."""
    # Where others decode, pixels wait for the GPU, never the GPU for pixels: while it
    # predicts a batch, a second call gathers the next one, and two more are on their
    # way. An actor that decodes reads its files ahead by itself.
    calls, waiting = (2, 4) if stages.two_stage else (1, 2)
    return {
        "fn_constructor_kwargs": {"plan": plan, "log": log},
        "batch_format": "pyarrow",
        "compute": ray.data.ActorPoolStrategy(
            # Fewer are enough after a host is lost, but all start at once.
            min_size=1,
            max_size=stages.num_actors,
            initial_size=stages.num_actors,
            max_concurrent_calls_per_actor=calls,
            max_tasks_in_flight_per_actor=waiting,
        ),
        "num_cpus": ACTOR_CPUS,
        "num_gpus": stages.actor_gpus or None,
    }


def parquet_options() -> dict[str, Any]:
    """How predictions are compressed."""
    return {"compression": "zstd"}


def _check_kept_columns(
    keep: tuple[str, ...], catalog: Catalog, card: ModelCard
) -> None:
    """Refuse columns that the predictions have already."""
    taken = predictions_schema(catalog.id_type, (), card.classes).names
    clashes = sorted(set(taken).intersection(keep))
    if clashes:
        raise CatalogError(
            f"--keep {' '.join(clashes)}: the predictions have columns of that name; "
            f"rename them in {catalog.uri}."
        )


def _conclude(
    config: ScoreConfig,
    catalog: Catalog,
    card: ModelCard,
    engine: str,
    output: str,
    seconds: float,
) -> RunRecord:
    """Count what was written, write the record, and say how it went."""
    num_failed, classes = count_predictions(output, catalog)
    record = RunRecord(
        catalog=catalog.uri,
        catalog_fingerprint=catalog.fingerprint,
        model=storage.absolute_uri(config.model),
        model_hash=card.model_hash,
        engine=engine,
        num_rows=catalog.num_rows,
        num_failed=num_failed,
        classes=dict(classes.most_common()),
        seconds=round(seconds, 1),
        versions=model_folder.library_versions(),
    )
    write_run_record(output, record)
    storage.finish_output(output)
    if num_failed > config.max_failed_fraction * catalog.num_rows:
        raise ScoringError(
            f"{num_failed} of {catalog.num_rows} images failed, more than "
            f"--max-failed-fraction {config.max_failed_fraction}; the column `error` "
            f"of {output} says why."
        )
    return record
