"""Training by Ray: galaxies in its object store, workers of Ray Train.

The driver's part runs here, and ``train_worker`` in every worker.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray.train

from galaxy_models import storage
from galaxy_models.cluster.job_log import JobLog, job_log
from galaxy_models.cluster.metrics import job_metrics
from galaxy_models.cluster.ray_errors import worker_error
from galaxy_models.errors import TrainingError
from galaxy_models.models.tensorflow_runtime import start_tensorflow
from galaxy_models.training.backend import CollectiveConfig
from galaxy_models.training.checkpoint import FolderCheckpoints
from galaxy_models.training.live_figures import LiveFigures
from galaxy_models.training.plan import RAY_TRAIN_NAME, Plan, Workers
from galaxy_models.training.progress import DecodeProgress
from galaxy_models.training.request import Request
from galaxy_models.training.result import Result, read_result
from galaxy_models.training.stored_examples import DECODE_CPUS, decode_examples
from galaxy_models.training.trainer import Trainer
from galaxy_models.training.worker import train

POLL_VARIABLE = "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"
POLL_INTERVAL_S = "0.2"  # Ray's own 2 s would be the least that an epoch takes


def train_on_ray(request: Request, workers: Workers) -> tuple[Plan, Result]:
    """Decode and fit over the workers; after a loss of some resume from the last epoch.

    Args:
        request: what was asked for.
        workers: those that fit the cluster; Ray runs.

    Raises:
        TrainingError: no image could be decoded, training diverged, the export failed,
            or workers were lost too often.
        StorageError: an object store stopped answering.
    """
    decoding = DecodeProgress(request.truth.num_to_learn)
    with (
        job_metrics(request.output) as metrics,
        job_log(decoding, LiveFigures(metrics)) as log,
    ):
        plan = Plan(request, workers, *decode_examples(request, workers.num, log))
        return plan, _run_workers(plan, log)


def _run_workers(plan: Plan, log: JobLog) -> Result:
    os.environ.setdefault(POLL_VARIABLE, POLL_INTERVAL_S)
    request = plan.request
    filesystem, path = storage.filesystem_and_path(request.output)
    trainer = Trainer(
        train_worker,
        train_loop_config={"plan": plan, "log": log},
        backend_config=CollectiveConfig(),
        scaling_config=scaling_config(plan.workers),
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


def scaling_config(workers: Workers) -> ray.train.ScalingConfig:
    """Book each worker's share with Ray Train."""
    return ray.train.ScalingConfig(
        num_workers=workers.num,
        use_gpu=workers.use_gpu,
        # Without GPUs each gets most of a host, so that none should share one.
        placement_strategy="PACK" if workers.use_gpu else "SPREAD",
        resources_per_worker={
            "CPU": workers.threads - DECODE_CPUS,
            **({"GPU": 1} if workers.use_gpu else {}),
        },
    )


def train_worker(loop_config: dict[str, Any]) -> str | None:
    """Fit as one of Ray Train's workers; report the best network.

    Args:
        loop_config: ``plan``, a ``Plan``, and ``log``, a ``JobLog``.

    Returns:
        What ``train`` does. (After an exception Ray Train tries again.)
    """
    plan: Plan = loop_config["plan"]
    start_tensorflow(
        plan.workers.threads,
        use_gpus=plan.workers.use_gpu,
        deterministic=not plan.workers.use_gpu,
    )
    rank = ray.train.get_context().get_world_rank()
    earlier = FolderCheckpoints(plan.checkpoints_uri)
    return train(plan, loop_config["log"], RayCheckpoints(earlier), rank)


class RayCheckpoints:
    """Checkpoints that Ray Train keeps, of all its workers together.

    Args:
        earlier: those of the same training before Ray had it.
    """

    def __init__(self, earlier: FolderCheckpoints) -> None:
        self._earlier = earlier

    @contextmanager
    def latest(self) -> Iterator[Path | None]:
        """Copy the last checkpoint here while the block runs."""
        checkpoint = ray.train.get_checkpoint()
        if checkpoint is None:
            with self._earlier.latest() as before:
                yield before
            return
        with checkpoint.as_directory() as folder:
            yield Path(folder)

    def keep(self, figures: Mapping[str, float], folder: Path | None) -> None:
        """Report to Ray Train, which waits for all workers."""
        checkpoint = folder and ray.train.Checkpoint.from_directory(folder)
        ray.train.report(dict(figures), checkpoint=checkpoint)
