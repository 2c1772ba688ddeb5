"""The plans with Ray: actors predict, tasks decode and make files, over a cluster.

Never imports TensorFlow; that is the actors' part.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import ray
import ray.data

from galaxy_models.cluster.job_log import JobLog, job_log
from galaxy_models.cluster.metrics import JobMetrics, job_metrics
from galaxy_models.cluster.progress import Progress
from galaxy_models.cluster.ray_errors import worker_error
from galaxy_models.errors import ScoringError
from galaxy_models.scoring.chunk_result import ChunkResult
from galaxy_models.scoring.ledger import Ledger
from galaxy_models.scoring.plan import WRITE_CPUS, Plan, choose_num_tasks
from galaxy_models.scoring.predictor import (
    CHUNK_COLUMN,
    FusedPredictor,
    Predictor,
    decode_chunk,
)


@contextmanager
def ray_workers(
    plan: Plan, progress: Progress, num_rows: int
) -> Iterator["RayWorkers"]:
    """Predict with Ray's actors while the block runs.

    Args:
        plan: what is predicted, and how it is spread.
        progress: shows the counts.
        num_rows: rows to predict, for Prometheus.

    Raises:
        ScoringError, StorageError, ModelFolderError: what a worker failed with.
    """
    try:
        with (
            job_metrics(plan.ledger.output) as metrics,
            job_log(progress) as log,
        ):
            metrics.set("score_rows_to_do", num_rows)
            yield RayWorkers(plan, metrics, log)
    except ray.exceptions.RayError as error:
        raise worker_error(error) or ScoringError(
            f"scoring stopped: {error}. The same command resumes it."
        ) from error


class RayWorkers:
    """Actors and tasks of a cluster.

    Args:
        plan: what is predicted, and how it is spread.
        metrics: where chunks are reported.
        log: where the actors count.
    """

    def __init__(self, plan: Plan, metrics: JobMetrics, log: JobLog) -> None:
        self._plan = plan
        self._metrics = metrics
        self._log = log
        self._finishing: list[Any] = []

    def predicted(self, chunks: list[int]) -> Iterator[ChunkResult]:
        """Predict chunks over the cluster; see ``Workers``."""
        if not chunks:
            return
        two_stage = self._plan.stages.two_stage
        num_tasks = len(chunks)
        if not two_stage:
            num_tasks = choose_num_tasks(num_tasks, self._plan.stages.num_actors)
        numbers = ray.data.from_items(
            [{CHUNK_COLUMN: chunk} for chunk in chunks], override_num_blocks=num_tasks
        )
        predict = _predict_in_two_stages if two_stage else _predict_in_one_stage
        kept = predict(numbers, self._plan, self._log)
        for batch in kept.iter_batches(batch_size=None, batch_format="pyarrow"):
            for result in ChunkResult.from_table(batch):
                _report(result, self._metrics)
                yield result

    def finish(self, files: list[int]) -> None:
        """Make files, somewhere in the cluster; see ``Workers``."""
        ledger, metadata = self._plan.ledger, self._plan.file_metadata
        finish = ray.remote(num_cpus=WRITE_CPUS)(Ledger.finish_file)
        self._finishing += [finish.remote(ledger, file, metadata) for file in files]

    def lost_chunks(self) -> Iterator[int]:
        """Wait for files, name chunks that cannot be read; see ``Workers``."""
        finishing, self._finishing = self._finishing, []
        return chain.from_iterable(ray.get(finishing))


def _report(result: ChunkResult, metrics: JobMetrics) -> None:
    """Report a chunk to Prometheus."""
    metrics.add("score_rows", result.counts.num_rows)
    for reason, number in result.counts.failure_reasons.items():
        metrics.add("score_failures", number, reason=reason)
    for stage, seconds in result.seconds.items():
        metrics.add("score_seconds", seconds, stage=stage)


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
