"""The driver of a scoring run: the stages in the order in which a galaxy meets them.

Never imports TensorFlow; that is the actors' part.
"""

import logging
import time
from collections.abc import Iterator
from itertools import chain
from typing import Any

import ray
import ray.data

from galaxy_models import storage
from galaxy_models.cluster import session, shared_paths
from galaxy_models.cluster.job_log import JobLog, job_log
from galaxy_models.cluster.metrics import JobMetrics, job_metrics
from galaxy_models.cluster.progress import Progress
from galaxy_models.cluster.ray_errors import worker_error
from galaxy_models.config import ScoreConfig
from galaxy_models.errors import ScoringError
from galaxy_models.scoring.chunk_result import ChunkResult
from galaxy_models.scoring.engines import check_engine
from galaxy_models.scoring.ledger import CHUNKS_NAME, Ledger, Remaining
from galaxy_models.scoring.plan import WRITE_CPUS, Plan, check_resources, make_plan
from galaxy_models.scoring.predictor import (
    CHUNK_COLUMN,
    FusedPredictor,
    Predictor,
    decode_chunk,
)
from galaxy_models.scoring.request import OUTPUT, open_request, resumes
from galaxy_models.scoring.row_counts import RowCounts
from galaxy_models.scoring.run_record import RunRecord, finished_record, record_run
from galaxy_models.storage import output_folder, s3

logger = logging.getLogger(__name__)

MAX_TASKS = 4096  # of actors that read by themselves; each costs the driver time
MAX_REPAIRS = 3  # of chunks that cannot be read; more, and the disk is at fault
MODEL_KEY, MODEL_HASH_KEY = b"galaxy_batch.model", b"galaxy_batch.model_hash"


def score(config: ScoreConfig) -> RunRecord:
    """Predict every galaxy of a catalog, by the flags of ``jobs.score``.

    Returns:
        What was done; also in ``_run.json`` next to the predictions.

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
            config.output, OUTPUT, config.overwrite, resumes(config)
        ) as output,
        session.joined_cluster() as joined,
    ):
        if joined is not None:
            check_resources(config, joined)
            shared_paths.check_output(output)
        staging_uri = storage.join(output, output_folder.STAGING_NAME)
        request = open_request(config, staging_uri)
        with session.ray_session() as resources:
            plan = make_plan(request, resources, output)
            check_engine(plan.stages.engine, request.model, request.card)
            _begin(plan)
            started_s = time.monotonic()
            num_rows = _predict_what_remains(plan)
            seconds = time.monotonic() - started_s
        record = record_run(plan, num_rows, seconds)
        storage.delete_folder(storage.join(output, CHUNKS_NAME))
        output_folder.finish_output(output)
    return record


def _begin(plan: Plan) -> None:
    """Mark the output as begun, or resume it."""
    output, resume = plan.ledger.output, resumes(plan.request.config)
    if output_folder.begin_output(output, OUTPUT, plan.resume_key(), resume):
        logger.info("%s holds an unfinished scoring: it is resumed", output)


def _predict_what_remains(plan: Plan) -> int:
    """Predict the chunks that are not kept, and make files of all.

    Returns:
        The rows that this run predicted.
    """
    remaining = Remaining(plan.ledger)
    num_catalog, num_rows = plan.ledger.num_rows, remaining.num_rows_to_do()
    described = plan.stages.described()
    logger.info("scoring %d of %d galaxies: %s", num_rows, num_catalog, described)
    interval_s = plan.request.config.progress_interval_s
    progress = Progress(num_catalog, num_catalog - num_rows, interval_s)
    try:
        with (
            job_metrics(plan.ledger.output) as metrics,
            job_log(progress) as log,
        ):
            metrics.set("score_rows_to_do", num_rows)
            _predict_chunks(plan, remaining, metrics, log)
            for _ in range(MAX_REPAIRS):
                if not remaining.chunks_to_do():
                    return num_rows
                num_rows += remaining.num_rows_to_do()
                _predict_chunks(plan, remaining, metrics, log)
    except ray.exceptions.RayError as error:
        raise worker_error(error) or ScoringError(
            f"scoring stopped: {error}. The same command resumes it."
        ) from error
    raise ScoringError(
        f"chunks in {plan.ledger.output} cannot be read after they were written "
        f"{MAX_REPAIRS} times; see to that disk, and run the same command again."
    )


def _predict_chunks(
    plan: Plan, remaining: Remaining, metrics: JobMetrics, log: JobLog
) -> None:
    """Predict the chunks that are to be done, and make files of all that are kept.

    Afterwards only chunks that could not be read again are to be done.
    """
    counts = RowCounts()
    finishing = _finish_files(plan, remaining)
    for result in _predicted_chunks(remaining.chunks_to_do(), plan, log):
        remaining.chunk_is_kept(result.chunk)
        finishing += _finish_files(plan, remaining)
        counts.update(result.counts)
        _report(result, metrics)
        if remaining.chunks_to_do():  # else score() says it of all rows
            _check_failed(counts.num_failed, plan)
    for chunk in chain.from_iterable(ray.get(finishing)):
        logger.warning("chunk %d cannot be read: it is predicted again", chunk)
        remaining.chunk_is_lost(chunk)


def _report(result: ChunkResult, metrics: JobMetrics) -> None:
    """Report a chunk to Prometheus."""
    metrics.add("score_rows", result.counts.num_rows)
    for reason, number in result.counts.failure_reasons.items():
        metrics.add("score_failures", number, reason=reason)
    for stage, seconds in result.seconds.items():
        metrics.add("score_seconds", seconds, stage=stage)


def _check_failed(num_failed: int, plan: Plan) -> None:
    """Stop where so many images failed that more would be a waste."""
    num_rows = plan.ledger.num_rows
    max_fraction = plan.request.config.max_failed_fraction
    if num_failed > max_fraction * num_rows:
        raise ScoringError(
            f"{num_failed} of {num_rows} images failed so far, more than "
            f"--max-failed-fraction {max_fraction}; the column `error` of "
            f"{plan.ledger.output} says why. With a larger fraction the same command "
            "resumes."
        )


def _finish_files(plan: Plan, remaining: Remaining) -> list[Any]:
    """Make files of their chunks, somewhere in the cluster, where all are kept."""
    finish = ray.remote(num_cpus=WRITE_CPUS)(Ledger.finish_file)
    metadata = {
        MODEL_KEY: plan.request.model.encode(),
        MODEL_HASH_KEY: plan.request.card.model_hash.encode(),
    }
    files = remaining.whole_files()
    return [finish.remote(plan.ledger, file, metadata) for file in files]


def _predicted_chunks(
    todo: list[int], plan: Plan, log: JobLog
) -> Iterator[ChunkResult]:
    """Predict chunks over the cluster; give the result of each."""
    if not todo:
        return
    two_stage = plan.stages.two_stage
    num_tasks = len(todo) if two_stage else min(len(todo), MAX_TASKS)
    chunks = ray.data.from_items(
        [{CHUNK_COLUMN: chunk} for chunk in todo], override_num_blocks=num_tasks
    )
    predict = _predict_in_two_stages if two_stage else _predict_in_one_stage
    kept = predict(chunks, plan, log)
    for batch in kept.iter_batches(batch_size=None, batch_format="pyarrow"):
        yield from ChunkResult.from_table(batch)


def _predict_in_one_stage(chunks: Any, plan: Plan, log: JobLog) -> Any:
    return chunks.map_batches(FusedPredictor, batch_size=None, **_actors(plan, log))


def _predict_in_two_stages(chunks: Any, plan: Plan, log: JobLog) -> Any:
    decoded = chunks.map_batches(
        decode_chunk,
        fn_kwargs={"plan": plan},
        batch_size=1,
        batch_format="pyarrow",
        num_cpus=plan.stages.decode_cpus,
    )
    return decoded.map_batches(Predictor, batch_size=None, **_actors(plan, log))


def _actors(plan: Plan, log: JobLog) -> dict[str, Any]:
    """How ``map_batches`` runs the predicting actors."""
    stages = plan.stages
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
