"""What workers want to tell the person who reads the job's log.

Ray forwards everything that its workers print, and most of that is libraries talking
to themselves. So the forwarding is off, and workers send their lines and counts to
one actor that the driver polls. This module does not know what is being counted.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

logger = logging.getLogger(__name__)

POLL_INTERVAL_S = 1.0
MAX_UNREAD_LINES = 1000  # beyond it the oldest are dropped; counts never are


class _JobLogActor:
    """Holds lines until the driver reads them, and sums of counts."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=MAX_UNREAD_LINES)
        self._counts: Counter[str] = Counter()

    def say(self, line: str) -> None:
        self._lines.append(line)

    def count(self, numbers: Mapping[str, int]) -> None:
        self._counts.update(numbers)

    def read(self) -> tuple[list[str], Counter[str]]:
        lines = list(self._lines)
        self._lines.clear()
        return lines, self._counts


class JobLog:
    """A worker's way to the driver's log; cheap to pickle, never waits."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._unsent: Counter[str] = Counter()
        self._sent_s = 0.0

    def say(self, line: str) -> None:
        """Write a line into the driver's log."""
        self._actor.say.remote(line)

    def count(self, **numbers: int) -> None:
        """Add to the sums that the driver watches.

        They are sent once a second, and by ``flush``: a message takes milliseconds.
        """
        self._unsent.update(numbers)
        if time.monotonic() - self._sent_s >= POLL_INTERVAL_S:
            self.flush()

    def flush(self) -> None:
        """Send what was counted."""
        if self._unsent:
            self._actor.count.remote(dict(self._unsent))
            self._unsent.clear()
            self._sent_s = time.monotonic()


@contextmanager
def job_log(
    on_counts: Callable[[Counter[str]], None] | None = None,
) -> Iterator[JobLog]:
    """Relay what workers say into this process's log while the block runs.

    Args:
        on_counts: called about once a second, in a thread, with the sums so far.

    Yields:
        What to hand to the workers.
    """
    here = NodeAffinitySchedulingStrategy(  # no other host's loss shall end the log
        ray.get_runtime_context().get_node_id(), soft=False
    )
    actor = (
        ray.remote(_JobLogActor).options(num_cpus=0, scheduling_strategy=here).remote()
    )
    is_done = threading.Event()

    def relay() -> None:
        while not is_done.wait(POLL_INTERVAL_S):
            _relay_once(actor, on_counts)

    thread = threading.Thread(target=relay, name="job-log", daemon=True)
    thread.start()
    try:
        yield JobLog(actor)
    finally:
        is_done.set()
        thread.join()
        _relay_once(actor, on_counts)
        ray.kill(actor)


def _relay_once(actor: Any, on_counts: Callable[[Counter[str]], None] | None) -> None:
    try:
        lines, counts = ray.get(actor.read.remote(), timeout=10 * POLL_INTERVAL_S)
    except (ray.exceptions.RayError, TimeoutError) as error:
        logger.debug("the job log did not answer: %s", error)
        return
    for line in lines:
        logger.info("%s", line)
    if on_counts is not None:
        on_counts(counts)
