"""The plans with Ray: actors predict, tasks decode, over a cluster.

Never imports TensorFlow; that is the actors' part.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import ray.data

from galaxy_models.chunks.chunk_result import ChunkResult
from galaxy_models.chunks.ray_workers import RayWork, RayWorkers, workers_on_ray
from galaxy_models.cluster.job_log import JobLog
from galaxy_models.cluster.metrics import JobMetrics
from galaxy_models.cluster.progress import Progress
from galaxy_models.errors import ScoringError
from galaxy_models.scoring.plan import Plan
from galaxy_models.scoring.predictor import FusedPredictor, Predictor, decode_chunk


@contextmanager
def ray_workers(plan: Plan, progress: Progress, num_rows: int) -> Iterator[RayWorkers]:
    """Predict with Ray's actors while the block runs.

    Args:
        plan: what is predicted, and how it is spread.
        progress: shows the counts.
        num_rows: rows to predict, for Prometheus.

    Raises:
        ScoringError, StorageError, ModelFolderError: what a worker failed with.
    """
    two_stage = plan.stages.two_stage
    predict = _predict_in_two_stages if two_stage else _predict_in_one_stage
    work = RayWork(
        ledger=plan.ledger,
        file_metadata=plan.file_metadata,
        stages=partial(predict, plan),
        report=_report,
        num_actors=None if two_stage else plan.stages.num_actors,
    )
    with workers_on_ray(work, progress, ScoringError, "scoring") as workers:
        workers.metrics.set("score_rows_to_do", num_rows)
        yield workers


def _report(result: ChunkResult, metrics: JobMetrics) -> None:
    """Report a chunk to Prometheus."""
    metrics.add("score_rows", result.counts.num_rows)
    for reason, number in result.counts.failure_reasons.items():
        metrics.add("score_failures", number, reason=reason)
    for stage, seconds in result.seconds.items():
        metrics.add("score_seconds", seconds, stage=stage)


def _predict_in_one_stage(plan: Plan, chunks: Any, log: JobLog) -> Any:
    return chunks.map_batches(FusedPredictor, batch_size=None, **_actors(plan, log))


def _predict_in_two_stages(plan: Plan, chunks: Any, log: JobLog) -> Any:
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
