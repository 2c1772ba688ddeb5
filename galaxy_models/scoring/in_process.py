"""The plan without Ray: threads of this process predict, each with its own engine.

LiteRT, the JPEG decoder and OpenCV release the interpreter's lock, so that every CPU
works. It knows neither Ray nor TensorFlow.
"""

import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from queue import Empty, SimpleQueue

from galaxy_models.cluster.progress import Progress
from galaxy_models.cluster.ray_output import stderr_unheard
from galaxy_models.errors import InputError, ModelFolderError, ScoringError
from galaxy_models.scoring.chunk_result import ChunkResult
from galaxy_models.scoring.plan import Plan
from galaxy_models.scoring.predictor import FusedPredictor

SHOW_INTERVAL_S = 1.0


@contextmanager
def local_workers(plan: Plan, progress: Progress) -> Iterator["LocalWorkers"]:
    """Predict in this process while the block runs.

    Args:
        plan: what is predicted, by how many threads.
        progress: shows the counts.

    Raises:
        ScoringError: the catalog cannot be read any more.
        StorageError, ModelFolderError: what a thread failed with.
    """
    counts = Counts()
    threads = ThreadPoolExecutor(plan.stages.num_actors, "predictor")
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
            yield LocalWorkers(plan, threads, counts)
        except ModelFolderError:
            raise
        except InputError as error:  # the catalog's: it was well when work began
            raise ScoringError(
                f"scoring stopped: {error} The same command resumes it."
            ) from error
        finally:
            threads.shutdown(cancel_futures=True)
            is_done.set()
            showing.join()
            progress(counts.sums())


class LocalWorkers:
    """Threads that predict; files are made by the driver's own.

    Args:
        plan: what is predicted.
        threads: those that predict.
        counts: where they count.

    Raises:
        ModelFolderError: the engine's file does not fit the card.
    """

    def __init__(
        self, plan: Plan, threads: ThreadPoolExecutor, counts: "Counts"
    ) -> None:
        self._plan = plan
        self._threads = threads
        self._counts = counts
        self._lost: list[int] = []
        self._idle: SimpleQueue[FusedPredictor] = SimpleQueue()
        with stderr_unheard():  # LiteRT announces its first engine there
            self._idle.put(FusedPredictor(plan, counts))

    def predicted(self, chunks: list[int]) -> Iterator[ChunkResult]:
        """Predict chunks; see ``Workers``."""
        futures = [self._threads.submit(self._predict, chunk) for chunk in chunks]
        for future in as_completed(futures):
            yield future.result()

    def _predict(self, chunk: int) -> ChunkResult:
        """Predict a chunk with an idle predictor, or a new one."""
        try:
            predictor = self._idle.get_nowait()
        except Empty:
            predictor = FusedPredictor(self._plan, self._counts)
        result = predictor.predict_chunk(chunk)
        self._idle.put(predictor)
        return result

    def finish(self, files: list[int]) -> None:
        """Make files; see ``Workers``."""
        for file in files:
            self._lost += self._plan.ledger.finish_file(file, self._plan.file_metadata)

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
