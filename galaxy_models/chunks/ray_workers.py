"""Workers on a cluster: Ray Data's stages do chunks, tasks make files of them.

It knows neither what the stages do nor how many actors do it.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import ray
import ray.data

from galaxy_models.chunks.chunk_result import ChunkResult
from galaxy_models.chunks.ledger import Ledger
from galaxy_models.chunks.workers import CHUNK_COLUMN, WRITE_CPUS, choose_num_tasks
from galaxy_models.cluster.job_log import JobLog, job_log
from galaxy_models.cluster.metrics import JobMetrics, job_metrics
from galaxy_models.cluster.progress import Progress
from galaxy_models.cluster.ray_errors import worker_error
from galaxy_models.cluster.session import ray_is_embedded
from galaxy_models.errors import JobError

Report = Callable[[ChunkResult, JobMetrics], None]
"""Reports a chunk to Prometheus."""


@dataclass(frozen=True)
class RayWork:
    """What a job does with its chunks."""

    ledger: Ledger
    file_metadata: Mapping[bytes, bytes]
    """Of every file, in addition to the description of its columns."""

    stages: Callable[[Any, JobLog], Any]
    """Adds the job's stages to a dataset of chunks' numbers; rows of ``ChunkResult``
    come out."""

    report: Report
    num_actors: int | None
    """Actors that read by themselves; None where tasks of a chunk each feed them."""


@contextmanager
def workers_on_ray(
    work: RayWork, progress: Progress, job_error: type[JobError], noun: str
) -> Iterator["RayWorkers"]:
    """Do chunks on Ray's cluster while the block runs.

    Args:
        work: what is done, and how it is spread.
        progress: shows the counts.
        job_error: what is raised in the job's name.
        noun: what the job is doing.

    Raises:
        JobError, ModelFolderError: what a worker failed with.
    """
    try:
        with (
            job_metrics(work.ledger.output) as metrics,
            job_log(progress) as log,
            ThreadPoolExecutor(1, "finish") as thread,
        ):
            yield RayWorkers(work, metrics, log, thread)
    except ray.exceptions.RayError as error:
        raise worker_error(error) or job_error(
            f"{noun} stopped: {error}. The same command resumes it."
        ) from error


class RayWorkers:
    """Actors and tasks of a cluster.

    Args:
        work: what is done, and how it is spread.
        metrics: where chunks are reported.
        log: where the actors count.
        thread: makes the files of an embedded Ray.
    """

    def __init__(
        self,
        work: RayWork,
        metrics: JobMetrics,
        log: JobLog,
        thread: ThreadPoolExecutor,
    ) -> None:
        self.metrics = metrics
        self._work = work
        self._log = log
        self._thread = thread
        self._finishing: list[Future[list[int]]] = []

    def results(self, chunks: list[int]) -> Iterator[ChunkResult]:
        """Do chunks over the cluster; see ``Workers``."""
        if not chunks:
            return
        num_tasks, num_actors = len(chunks), self._work.num_actors
        if num_actors is not None:
            num_tasks = choose_num_tasks(num_tasks, num_actors)
        numbers = ray.data.from_items(
            [{CHUNK_COLUMN: chunk} for chunk in chunks], override_num_blocks=num_tasks
        )
        kept = self._work.stages(numbers, self._log)
        for batch in kept.iter_batches(batch_size=None, batch_format="pyarrow"):
            for result in ChunkResult.from_table(batch):
                self._work.report(result, self.metrics)
                yield result

    def finish(self, files: list[int]) -> None:
        """Make files, somewhere in the cluster or in a thread; see ``Workers``."""
        self._finishing += [self._finish(file) for file in files]

    def _finish(self, file: int) -> "Future[list[int]]":
        ledger, metadata = self._work.ledger, self._work.file_metadata
        if ray_is_embedded():  # a task's process would take 1 s of a core to start
            return self._thread.submit(ledger.finish_file, file, metadata)
        finish = ray.remote(num_cpus=WRITE_CPUS)(Ledger.finish_file)
        future: Future[list[int]] = finish.remote(ledger, file, metadata).future()
        return future

    def lost_chunks(self) -> Iterator[int]:
        """Wait for files, name chunks that cannot be read; see ``Workers``."""
        finishing, self._finishing = self._finishing, []
        return chain.from_iterable(future.result() for future in finishing)
