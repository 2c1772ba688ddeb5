"""The driver of a scoring run: the stages in the order in which a galaxy meets them.

Never imports TensorFlow; that is the actors' part.
"""

import logging
import time
from collections.abc import Iterator
from typing import Any

import ray
import ray.data

from galaxy_models import storage
from galaxy_models.cluster import session, shared_paths
from galaxy_models.cluster.job_log import JobLog, job_log
from galaxy_models.cluster.metrics import JobMetrics, job_metrics
from galaxy_models.cluster.ray_errors import worker_error
from galaxy_models.config import ScoreConfig
from galaxy_models.errors import OutputError, ScoringError
from galaxy_models.models.folder import load_litert
from galaxy_models.models.shipped import model_reference
from galaxy_models.scoring.chunk_result import KeptChunk
from galaxy_models.scoring.engines import LITERT_FILES
from galaxy_models.scoring.ledger import CHUNKS_NAME, Ledger, Remaining
from galaxy_models.scoring.plan import (
    WRITE_CPUS,
    StagePlan,
    check_resources,
    max_rows_that_travel,
    plan_stages,
)
from galaxy_models.scoring.predictor import (
    CHUNK_COLUMN,
    FusedPredictor,
    Predictor,
    PredictorPlan,
    decode_chunk,
)
from galaxy_models.scoring.progress import Progress
from galaxy_models.scoring.run_record import OUTPUT, RunRecord, record_run
from galaxy_models.scoring.task import Task, finished_record, goes_on, open_task
from galaxy_models.storage import output_folder, s3

logger = logging.getLogger(__name__)

MAX_TASKS = 4096  # of actors that read by themselves; each costs the driver time
MODEL_KEY, MODEL_HASH_KEY = b"galaxy_batch.model", b"galaxy_batch.model_hash"
ROWS_PER_CHUNK = "rows per chunk"  # in the record; a job that goes on keeps to it


def score(config: ScoreConfig) -> RunRecord:
    """Predict every galaxy of a catalog, as ``jobs.score`` was told.

    Returns:
        What was done; also in ``_run.json`` beside the predictions.

    Raises:
        InputError: catalog, model, output or resources cannot serve; nothing was
            begun.
        ScoringError: rows were lost, or too many images failed.
        StorageError: an object store stopped answering.

    Example:
        >>> import pandas as pd
        >>> record = score(
        ...     ScoreConfig(
        ...         catalog="survey/catalog.parquet",
        ...         model="galaxy-zoo",
        ...         output="predictions",
        ...         keep=("ra", "dec"),
        ...     )
        ... )
        >>> record.num_rows, record.num_failed
        (90, 8)
        >>> table = pd.read_parquet("predictions")
        >>> list(table.columns[:5])
        ['object_id', 'ra', 'dec', 'predicted_class', 'confidence']
    """
    with s3.endpoint(config.s3_endpoint_url):
        record = finished_record(config)
        if record is None:
            record = _score(config)
        else:
            logger.info("%s is finished already: nothing to do", config.output)
    if record.num_failed > config.max_failed_fraction * record.num_rows:
        raise ScoringError(
            f"{record.num_failed} of {record.num_rows} images failed, more than "
            f"--max-failed-fraction {config.max_failed_fraction}; the column `error` "
            f"of {config.output} says why."
        )
    return record


def _score(config: ScoreConfig) -> RunRecord:
    """Predict what is not predicted yet; write the record last."""
    with (
        output_folder.held_output(
            config.output, OUTPUT, config.overwrite, goes_on(config)
        ) as output,
        session.joined_cluster() as joined,
    ):
        if joined is not None:
            check_resources(config, joined)
            shared_paths.check_output(output)
        task = open_task(config, storage.join(output, output_folder.STAGING_NAME))
        with session.ray_session() as resources:
            stages = plan_stages(config, task.card, resources, task.catalog.num_rows)
            plan = _predictor_plan(task, stages, output)
            _check_engine(plan)
            _begin(plan, task, output)
            started_s = time.monotonic()
            num_rows = _predict_what_remains(config, plan, stages)
            seconds = time.monotonic() - started_s
        record = record_run(plan, task.decisive(), num_rows, seconds)
        storage.delete_folder(storage.join(output, CHUNKS_NAME))
        output_folder.finish_output(output)
    return record


def _predictor_plan(task: Task, stages: StagePlan, output: str) -> PredictorPlan:
    """Put together what every actor is told."""
    return PredictorPlan(
        model=model_reference(task.config.model),
        card=task.card,
        catalog=task.catalog,
        rows=task.rows,
        ledger=_ledger(task, stages, output),
        keep=task.keep,
        engine=stages.engine,
        threads=stages.threads,
        batch_size=stages.batch_size,
        tta=task.config.tta,
        on_gpus=stages.on_gpus,
    )


def _begin(plan: PredictorPlan, task: Task, output: str) -> None:
    """Mark the output as begun, or go on with it."""
    begun = {
        **task.decisive(),
        "the engine": plan.engine,
        ROWS_PER_CHUNK: plan.ledger.rows_per_chunk,
    }
    if output_folder.begin_output(output, OUTPUT, begun, goes_on(task.config)):
        logger.info("%s holds an unfinished scoring: it goes on", output)


def _ledger(task: Task, stages: StagePlan, output: str) -> Ledger:
    """Cut the catalog; as it was cut, if a scoring goes on that chose by itself.

    Raises:
        OutputError: it was cut into chunks too large to travel between two stages.
    """
    config, max_rows = task.config, max_rows_that_travel(task.card)
    rows_per_chunk = stages.rows_per_chunk
    if goes_on(config) and config.rows_per_chunk == "auto":
        begun = output_folder.read_marker(output, OUTPUT)
        if begun is not None:
            rows_per_chunk = int(begun.resume_key.get(ROWS_PER_CHUNK, rows_per_chunk))
    if stages.two_stage and rows_per_chunk > max_rows:
        raise OutputError(
            f"{output} was begun with {rows_per_chunk} rows a chunk, too many to go "
            f"from stage to stage (at most {max_rows}); go on with "
            "--plan fused, or begin anew with --overwrite."
        )
    return Ledger(
        output=output,
        num_rows=task.catalog.num_rows,
        rows_per_chunk=rows_per_chunk,
        chunks_per_file=-(-config.rows_per_file // rows_per_chunk),
    )


def _check_engine(plan: PredictorPlan) -> None:
    """Load a LiteRT file once, here, where a misfit is told before work begins."""
    if plan.engine in LITERT_FILES:
        load_litert(plan.model, LITERT_FILES[plan.engine], threads=1, optimised=False)


def _predict_what_remains(
    config: ScoreConfig, plan: PredictorPlan, stages: StagePlan
) -> int:
    """Predict the chunks that are not kept, and make files of all; give their rows."""
    remaining = Remaining(plan.ledger)
    num_rows = remaining.num_rows_to_do()
    logger.info(
        "scoring %d of %d galaxies: %s",
        num_rows,
        plan.catalog.num_rows,
        stages.described(),
    )
    max_failed = config.max_failed_fraction * plan.catalog.num_rows
    num_failed = 0
    try:
        with (
            job_metrics(plan.ledger.output) as metrics,
            job_log(Progress(num_rows, config.progress_interval_s)) as log,
        ):
            metrics.set("score_rows_to_do", num_rows)
            todo = remaining.chunks_to_do()
            finishing = _finish_files(plan, remaining)
            for kept in _predicted_chunks(todo, plan, stages, log):
                remaining.chunk_is_kept(kept.chunk)
                finishing += _finish_files(plan, remaining)
                num_failed += kept.num_failed
                _record(kept, metrics)
                if num_failed > max_failed and remaining.chunks_to_do():
                    raise _too_many_failed(config, plan, num_failed)
            ray.get(finishing)
    except ray.exceptions.RayError as error:
        raise worker_error(error) or ScoringError(
            f"scoring stopped: {error}. The same command goes on with what is left."
        ) from error
    return num_rows


def _record(kept: KeptChunk, metrics: JobMetrics) -> None:
    """Tell Prometheus of a chunk."""
    metrics.add("score_rows", kept.rows)
    for reason, number in kept.failures.items():
        metrics.add("score_failures", number, reason=reason)
    for stage, seconds in kept.seconds.items():
        metrics.add("score_seconds", seconds, stage=stage)


def _too_many_failed(
    config: ScoreConfig, plan: PredictorPlan, num_failed: int
) -> ScoringError:
    return ScoringError(
        f"{num_failed} of {plan.catalog.num_rows} images failed so far, more than "
        f"--max-failed-fraction {config.max_failed_fraction}; the column `error` of "
        f"{plan.ledger.output} says why. With a larger fraction the same command goes "
        "on."
    )


def _finish_files(plan: PredictorPlan, remaining: Remaining) -> list[Any]:
    """Make files of their chunks, somewhere in the cluster, where all are kept."""
    finish = ray.remote(num_cpus=WRITE_CPUS)(Ledger.finish_file)
    metadata = {
        MODEL_KEY: plan.model.encode(),
        MODEL_HASH_KEY: plan.card.model_hash.encode(),
    }
    files = remaining.whole_files()
    return [finish.remote(plan.ledger, file, metadata) for file in files]


def _predicted_chunks(
    todo: list[int], plan: PredictorPlan, stages: StagePlan, log: JobLog
) -> Iterator[KeptChunk]:
    """Predict chunks over the cluster; give each that is kept."""
    if not todo:
        return
    num_tasks = len(todo) if stages.two_stage else min(len(todo), MAX_TASKS)
    chunks = ray.data.from_items(
        [{CHUNK_COLUMN: chunk} for chunk in todo], override_num_blocks=num_tasks
    )
    predict = _predict_in_two_stages if stages.two_stage else _predict_in_one_stage
    kept = predict(chunks, plan, stages, log)
    for batch in kept.iter_batches(batch_size=None, batch_format="pyarrow"):
        yield from KeptChunk.from_table(batch)


def _predict_in_one_stage(
    chunks: Any, plan: PredictorPlan, stages: StagePlan, log: JobLog
) -> Any:
    return chunks.map_batches(
        FusedPredictor, batch_size=None, **_actors(plan, stages, log)
    )


def _predict_in_two_stages(
    chunks: Any, plan: PredictorPlan, stages: StagePlan, log: JobLog
) -> Any:
    decoded = chunks.map_batches(
        decode_chunk,
        fn_kwargs={"plan": plan},
        batch_size=1,
        batch_format="pyarrow",
        num_cpus=stages.decode_cpus,
    )
    return decoded.map_batches(Predictor, batch_size=None, **_actors(plan, stages, log))


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
        "num_cpus": stages.actor_cpus,
        "num_gpus": stages.actor_gpus or None,
    }
