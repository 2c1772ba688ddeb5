"""Workers without Ray: threads of this process, each with a worker of its own.

It knows neither Ray nor what the workers do.
"""

import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from galaxy_models.chunks.chunk_result import ChunkResult
from galaxy_models.chunks.ledger import Ledger
from galaxy_models.chunks.workers import CountsLog, Worker
from galaxy_models.cluster.progress import Progress
from galaxy_models.cluster.ray_output import stderr_unheard
from galaxy_models.errors import InputError, JobError, ModelFolderError

SHOW_INTERVAL_S = 1.0


@dataclass(frozen=True)
class LocalWork:
    """What a job does with its chunks."""

    ledger: Ledger
    file_metadata: Mapping[bytes, bytes]
    """Of every file, in addition to the description of its columns."""

    make_worker: Callable[[CountsLog], Worker]
    num_threads: int


@contextmanager
def local_workers(
    work: LocalWork, progress: Progress, job_error: type[JobError], noun: str
) -> Iterator["LocalWorkers"]:
    """Do chunks in this process while the block runs.

    Args:
        work: what is done, by how many threads.
        progress: shows the counts.
        job_error: what is raised in the job's name.
        noun: what the job is doing.

    Raises:
        JobError: the table that is worked through cannot be read any more.
        StorageError, ModelFolderError: what a thread failed with.
    """
    counts = Counts()
    threads = ThreadPoolExecutor(work.num_threads, "worker")
    is_done = threading.Event()

    def show() -> None:
        while not is_done.wait(SHOW_INTERVAL_S):
            progress(counts.sums())

    showing = threading.Thread(target=show, name="progress", daemon=True)
    showing.start()
    # Decoders suppress warnings for a moment, which no two threads can do at once.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield LocalWorkers(work, threads, counts)
        except ModelFolderError:
            raise
        except InputError as error:  # the table's: it was well when work began
            raise job_error(
                f"{noun} stopped: {error} The same command resumes it."
            ) from error
        finally:
            threads.shutdown(cancel_futures=True)
            is_done.set()
            showing.join()
            progress(counts.sums())


class LocalWorkers:
    """Threads that do chunks; files are made by the driver's own.

    Args:
        work: what is done.
        threads: those that do it.
        counts: where they count.

    Raises:
        ModelFolderError: the engine's file does not fit the card.
    """

    def __init__(
        self, work: LocalWork, threads: ThreadPoolExecutor, counts: "Counts"
    ) -> None:
        self._work = work
        self._threads = threads
        self._counts = counts
        self._lost: list[int] = []
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        with stderr_unheard():  # LiteRT announces its first engine there
            self._idle.put(work.make_worker(counts))

    def results(self, chunks: list[int]) -> Iterator[ChunkResult]:
        """Do chunks; see ``Workers``."""
        futures = [self._threads.submit(self._do_chunk, chunk) for chunk in chunks]
        for future in as_completed(futures):
            yield future.result()

    def _do_chunk(self, chunk: int) -> ChunkResult:
        """Do a chunk with an idle worker, or a new one."""
        try:
            worker = self._idle.get_nowait()
        except Empty:
            worker = self._work.make_worker(self._counts)
        result = worker.do_chunk(chunk)
        self._idle.put(worker)
        return result

    def finish(self, files: list[int]) -> None:
        """Make files; see ``Workers``."""
        ledger, metadata = self._work.ledger, self._work.file_metadata
        for file in files:
            self._lost += ledger.finish_file(file, metadata)

    def lost_chunks(self) -> list[int]:
        """Name the chunks that cannot be read; see ``Workers``."""
        lost, self._lost = self._lost, []
        return lost


class Counts:
    """Sums that all threads add to."""

    def __init__(self) -> None:
        self._sums: Counter[str] = Counter()
        self._adding = threading.Lock()

    def count(self, **numbers: int) -> None:
        """Add numbers."""
        with self._adding:
            self._sums.update(numbers)

    def flush(self) -> None:
        """Nothing waits to be sent."""

    def sums(self) -> Counter[str]:
        """Copy the sums so far."""
        with self._adding:
            return self._sums.copy()
