"""A training in this process that loses a worker at a moment of its log."""

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from job_process import TIMEOUT_S, pids_below

WORKER = "ray::RayTrainWorker"  # title of its process
LOCAL_PROCESS = f"{sys.executable}\0-P"  # how the title of one without Ray begins
SNAPSHOT_NAME = "checkpoint_manager_snapshot.json"  # Ray Train writes it with the first


@contextmanager
def lost_worker(
    line: str, output: Path | None = None, title: str = WORKER
) -> Iterator[None]:
    """Kill a worker when the training's log first has a line that begins so.

    Args:
        line: its beginning.
        output: model folder; the worker lives until Ray Train has a checkpoint there.
        title: how the title of the worker's process begins.
    """
    handler, logger = (
        _KillWorker(line, output, title),
        logging.getLogger("galaxy_models"),
    )
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
    def __init__(self, line: str, output: Path | None, title: str) -> None:
        super().__init__()
        self._output = output
        self._title = title
        self.is_done = False
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith(self._line) and not self.is_done:
            self.is_done = True
            self._wait_for_checkpoint()
            os.kill(pids_below(os.getpid(), self._title)[0], signal.SIGKILL)

    def _wait_for_checkpoint(self) -> None:
        deadline_s = time.monotonic() + TIMEOUT_S
        while self._output and not any(self._output.rglob(SNAPSHOT_NAME)):
            assert time.monotonic() < deadline_s, f"no {SNAPSHOT_NAME}"
            time.sleep(0.05)
