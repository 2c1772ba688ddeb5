"""The process in which a training without Ray runs; ``local`` starts and feeds it.

    stdin    a pickled plan; then it stays open for as long as the driver lives
    stdout   pickled lines of the log; at last None, or the error that ended training

What libraries print goes to stderr, of which the driver shows the last line if this
process is lost.
"""

import os
import pickle
import signal
import sys
import threading
from collections.abc import Mapping
from importlib import import_module
from typing import IO, Any

from galaxy_models.errors import GalaxyBatchError, TrainingError
from galaxy_models.models.tensorflow_runtime import start_tensorflow
from galaxy_models.training.checkpoint import FolderCheckpoints
from galaxy_models.training.plan import Plan
from galaxy_models.training.worker import train


def main() -> None:
    """Train what stdin says; ``sys.argv[1]`` is the number of threads."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver is told, and ends this
    to_driver = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # libraries print
    start_tensorflow(int(sys.argv[1]), use_gpus=False, deterministic=True)
    import_module("galaxy_models.training.learner")  # while galaxies are decoded
    plan: Plan = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_the_driver, daemon=True).start()
    log = PipeLog(to_driver)
    try:
        failure = train(plan, log, FolderCheckpoints(plan.checkpoints_uri), rank=0)
        log.send(failure and TrainingError(failure))
    except GalaxyBatchError as error:
        log.send(error)


def _end_with_the_driver() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing ever comes: it ends with the driver
    os._exit(1)


class PipeLog:
    """A training's log, told to the driver.

    Args:
        stream: the pipe to it.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def send(self, what: Any) -> None:
        """Send a line, or how training ended."""
        pickle.dump(what, self._stream)
        self._stream.flush()

    def say(self, line: str) -> None:
        """Write a line into the driver's log."""
        self.send(line)

    def show(self, figures: Mapping[str, float]) -> None:
        """Figures are for Prometheus, which Ray serves."""
