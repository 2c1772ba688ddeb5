"""Training without Ray: this process decodes, a process below it trains.

TensorFlow is imported there while galaxies are decoded here. The process ends with this
one, however that ends.
"""

import logging
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import IO

import numpy as np

from galaxy_models.errors import GalaxyBatchError, TrainingError
from galaxy_models.tables.formats.numbered_rows import RowReader, number_rows
from galaxy_models.training.checkpoint import FolderCheckpoints
from galaxy_models.training.examples import (
    DECODE_BATCH_SIZE,
    Columns,
    Examples,
    check_enough,
    decode_side,
    with_side,
)
from galaxy_models.training.labels import Side
from galaxy_models.training.plan import Plan, Workers
from galaxy_models.training.progress import DecodeProgress
from galaxy_models.training.request import Request
from galaxy_models.training.result import Result, read_result

logger = logging.getLogger(__name__)

PROCESS = "from galaxy_models.training.local_process import main; main()"
MAX_SAID_BYTES = 4096  # of the end of a lost process's stderr


def train_here(request: Request, workers: Workers) -> tuple[Plan, Result]:
    """Decode and fit; a process that is lost is started again from the last epoch.

    Args:
        request: what was asked for.
        workers: one, on CPUs.

    Raises:
        TrainingError: no image could be decoded, training diverged, the export failed,
            or the process was lost too often.
        StorageError: an object store stopped answering, or a disk is full.
    """
    plan, lost = None, None
    for restarts_left in reversed(range(request.config.max_restarts + 1)):
        with _training_process(workers.threads) as process:
            if plan is None:  # TensorFlow is imported meanwhile
                plan = Plan(request, workers, *decode_here(request, workers.threads))
            lost = process.train(plan)
        if lost is None:
            with FolderCheckpoints(plan.checkpoints_uri).latest() as folder:
                assert folder is not None
                return plan, read_result(folder)
        if restarts_left:
            logger.warning("the training's process was lost (%s): it restarts", lost)
    raise TrainingError(
        f"training failed: its process was lost ({lost}). The same command resumes "
        "from the last epoch."
    )


def decode_here(request: Request, threads: int) -> tuple[Examples, Examples]:
    """Decode every galaxy once, in an order that the seed decides.

    Args:
        request: the catalog, its labels and its split.
        threads: that decode.

    Returns:
        The galaxies to train on, and those to validate with, in memory.

    Raises:
        TrainingError: a side has no readable galaxy.
    """
    catalog, config, truth = request.catalog, request.config, request.truth
    known = truth.source_columns(catalog, config)
    numbered = number_rows(catalog.table)
    reader = RowReader(numbered, [catalog.id_column, catalog.image_column, *known])
    order = np.random.default_rng(config.seed).permutation(numbered.num_rows)
    rows = reader.read(0, numbered.num_rows).take(order)
    rows = with_side(rows, catalog=catalog, config=config, truth=truth)
    log = DriverLog(DecodeProgress(truth.num_to_learn))

    def decode(side: Side) -> Examples:
        def block(start: int) -> Columns:
            return decode_side(
                rows.slice(start, DECODE_BATCH_SIZE),
                side=side,
                labels=truth.names,
                catalog=catalog,
                config=config,
                log=log,
            )

        starts = range(0, len(rows), DECODE_BATCH_SIZE)
        examples = Examples.of(pool.map(block, starts))
        check_enough(examples, side, num_workers=1)
        return examples

    # Decoders suppress warnings for a moment, which no two threads can do at once.
    with warnings.catch_warnings(), ThreadPoolExecutor(threads) as pool:
        warnings.simplefilter("ignore")
        return decode("training"), decode("validation")


class DriverLog:
    """The log of galaxies that the driver itself decodes.

    Args:
        on_counts: called with the sums so far.
    """

    def __init__(self, on_counts: Callable[[Counter[str]], None]) -> None:
        self._on_counts = on_counts
        self._counts: Counter[str] = Counter()
        self._counting = threading.Lock()

    def say(self, line: str) -> None:
        """Write a line."""
        logger.info("%s", line)

    def count(self, **numbers: int) -> None:
        """Add to the sums."""
        with self._counting:
            self._counts.update(numbers)
            self._on_counts(self._counts)

    def flush(self) -> None:
        """Nothing waits to be sent."""


@contextmanager
def _training_process(threads: int) -> Iterator["_Process"]:
    """Start the process that trains; it is gone when the block ends."""
    # It imports what this process would, and nothing else from the working directory.
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROCESS, str(threads)],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        try:
            yield _Process(process, errors)
        finally:
            process.kill()
            process.communicate()


class _Process:
    """The process that trains, seen from its driver.

    Args:
        process: with pipes to it and from it.
        errors: what it writes to stderr.
    """

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self._process = process
        self._errors = errors

    def train(self, plan: Plan) -> str | None:
        """Have a plan carried out; relay its lines.

        Returns:
            None if it came to an end, else why the process was lost.

        Raises:
            TrainingError, StorageError: there is no model, and no other try would help.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):  # it is lost, as the next lines find
            pickle.dump(plan, self._process.stdin)
            self._process.stdin.flush()
        while True:
            try:
                said = pickle.load(self._process.stdout)
            except (EOFError, pickle.UnpicklingError):
                return self._why_it_ended()
            if said is None:
                return None
            if isinstance(said, GalaxyBatchError):
                raise said
            logger.info("%s", said)

    def _why_it_ended(self) -> str:
        """Say which signal ended it, or what its last words were."""
        code = self._process.wait()
        if code < 0:
            return signal.Signals(-code).name
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - MAX_SAID_BYTES))
        lines = self._errors.read().decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "no word")
        return f"exit code {code}, {last.strip()}"
