"""A training in this process that loses a worker at a moment of its log."""

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from job_process import pids_below

WORKER = "ray::RayTrainWorker"  # title of its process


@contextmanager
def lost_worker(line: str) -> Iterator[None]:
    """Kill a worker when the training's log first has a line that begins so."""
    handler, logger = _KillWorker(line), logging.getLogger("galaxy_models")
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert handler.is_done, f"no line {line!r}"


class _KillWorker(logging.Handler):
    def __init__(self, line: str) -> None:
        super().__init__()
        self.is_done = False
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith(self._line) and not self.is_done:
            self.is_done = True
            os.kill(pids_below(os.getpid(), WORKER)[0], signal.SIGKILL)
