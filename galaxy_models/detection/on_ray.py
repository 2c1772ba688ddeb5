"""The plan with Ray: actors find the sources of tiles, over a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import ray.data

from galaxy_models.chunks.chunk_result import ChunkResult
from galaxy_models.chunks.ledger import Ledger
from galaxy_models.chunks.ray_workers import RayWork, RayWorkers, workers_on_ray
from galaxy_models.cluster.job_log import JobLog
from galaxy_models.cluster.metrics import JobMetrics
from galaxy_models.cluster.progress import Progress
from galaxy_models.detection.plan import ACTOR_CPUS, Plan
from galaxy_models.detection.worker import TileWorker
from galaxy_models.errors import DetectionError


@contextmanager
def ray_workers(plan: Plan, progress: Progress, num_tiles: int) -> Iterator[RayWorkers]:
    """Find sources with Ray's actors while the block runs.

    Args:
        plan: what is done, and how it is spread.
        progress: shows the counts.
        num_tiles: tiles to do, for Prometheus.

    Raises:
        DetectionError, StorageError, ModelFolderError: what a worker failed with.
    """
    work = RayWork(
        plan.ledger,
        plan.file_metadata,
        partial(_stages, plan),
        partial(_report, plan.ledger),
        plan.num_actors,
    )
    with workers_on_ray(work, progress, DetectionError, "detection") as workers:
        workers.metrics.set("detect_tiles_to_do", num_tiles)
        yield workers


def _stages(plan: Plan, chunks: Any, log: JobLog) -> Any:
    """Find the sources of chunks with a pool of actors."""
    return chunks.map_batches(
        TileWorker,
        fn_constructor_kwargs={"plan": plan, "log": log},
        batch_size=None,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(
            # Fewer are enough after a host is lost, but all start at once.
            min_size=1,
            max_size=plan.num_actors,
            initial_size=plan.num_actors,
            max_concurrent_calls_per_actor=1,
            max_tasks_in_flight_per_actor=2,
        ),
        num_cpus=ACTOR_CPUS,
    )


def _report(ledger: Ledger, result: ChunkResult, metrics: JobMetrics) -> None:
    """Report a chunk to Prometheus."""
    start, stop = ledger.rows_of(result.chunk)
    metrics.add("detect_tiles", stop - start)
    metrics.add("detect_sources", result.counts.num_rows - result.counts.num_failed)
    for reason, number in result.counts.failure_reasons.items():
        metrics.add("detect_failures", number, reason=reason)
    for stage, seconds in result.seconds.items():
        metrics.add("detect_seconds", seconds, stage=stage)
