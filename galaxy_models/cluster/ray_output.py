"""Ray's own output: moved into the job's log, or suppressed.

Ray writes to stdout and stderr without Python's logging. This module starts nothing.
"""

import contextlib
import logging
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

logger = logging.getLogger(__name__)

OF_THE_RAYLET = re.compile(r"(?s)(?:\x1b\[\d+m)?\(raylet[^)]*\)(?:\x1b\[0m)? (.*)")
NO_LOSS = (
    "the task will be retried",  # of a worker whose death another line reports
    "following error: Terminated with signal",  # its monitor, stopped as this job is
)
STDERR = 2


@contextlib.contextmanager
def raylet_in_log() -> Iterator[None]:
    """Log what Ray's error listener prints (a worker died, say), a sentence each."""
    stdout = sys.stdout
    with contextlib.redirect_stdout(_WithoutRaylet(stdout)):
        yield


class _WithoutRaylet:
    """Stdout whose lines from the raylet go to the log instead."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._ends_line = False

    def write(self, text: str) -> int:
        line = OF_THE_RAYLET.match(text)
        if line:
            _log(line[1])
        elif not (self._ends_line and text == "\n"):  # print's second write
            self._stream.write(text)
        self._ends_line = line is not None
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _log(message: str) -> None:
    line = message.replace(":\n", ": ").partition("\n")[0]
    sentence = line.partition(". ")[0].rstrip(".")
    is_no_loss = any(words in line for words in NO_LOSS)
    level = logging.DEBUG if is_no_loss else logging.WARNING
    logger.log(level, "Ray: %s", sentence)


@contextlib.contextmanager
def stderr_unheard() -> Iterator[None]:
    """Discard what C++ code writes to stderr meanwhile. For moments only."""
    sys.stderr.flush()
    stderr = os.dup(STDERR)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), STDERR)
        yield
    finally:
        os.dup2(stderr, STDERR)
        os.close(stderr)
