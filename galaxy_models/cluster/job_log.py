"""Lines and counts that workers send to the job's log.

Ray can forward everything that its workers print, but most of that is libraries'
chatter. So forwarding is off; workers send their lines and counts to one actor that the
driver polls. This module does not know what is being counted.
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

from galaxy_models.cluster.ray_output import stderr_unheard

logger = logging.getLogger(__name__)

POLL_INTERVAL_S = 1.0
MAX_UNREAD_LINES = 1000  # beyond it the oldest are dropped; counts never are


class _JobLogActor:
    """Holds unread lines, sums of counts and the latest figures."""

    def __init__(self, max_unread_lines: int) -> None:
        self._lines: deque[str] = deque(maxlen=max_unread_lines)
        self._counts: Counter[str] = Counter()
        self._figures: dict[str, float] = {}

    def say(self, line: str) -> None:
        self._lines.append(line)

    def count(self, numbers: Mapping[str, int]) -> None:
        self._counts.update(numbers)

    def show(self, figures: Mapping[str, float]) -> None:
        self._figures.update(figures)

    def read(self) -> tuple[list[str], Counter[str], dict[str, float]]:
        lines = list(self._lines)
        self._lines.clear()
        return lines, self._counts, self._figures


class JobLog:
    """A worker's handle of the driver's log; cheap to pickle, never blocks."""

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

    def show(self, figures: Mapping[str, float]) -> None:
        """Send the latest figures; those of the same name are replaced."""
        self._actor.show.remote(dict(figures))

    def flush(self) -> None:
        """Send what was counted."""
        if self._unsent:
            self._actor.count.remote(dict(self._unsent))
            self._unsent.clear()
            self._sent_s = time.monotonic()


@contextmanager
def job_log(
    on_counts: Callable[[Counter[str]], None] | None = None,
    on_figures: Callable[[dict[str, float]], None] | None = None,
) -> Iterator[JobLog]:
    """Relay workers' lines into this process's log while the block runs.

    Args:
        on_counts: called about once a second, in a thread, with the sums so far. What
            it raises is logged, and ends neither the job nor the relay.
        on_figures: called likewise with the last figures, once there are any.

    Yields:
        The handle to give to the workers.
    """
    actor = _start_actor()
    is_done = threading.Event()

    def relay_once() -> None:
        try:
            lines, counts, figures = ray.get(
                actor.read.remote(), timeout=10 * POLL_INTERVAL_S
            )
        except (ray.exceptions.RayError, TimeoutError) as error:
            logger.debug("the job log did not answer: %s", error)
            return
        for line in lines:
            logger.info("%s", line)
        _call(on_counts, counts)
        if figures:
            _call(on_figures, figures)

    def relay() -> None:
        while not is_done.wait(POLL_INTERVAL_S):
            relay_once()

    thread = threading.Thread(target=relay, name="job-log", daemon=True)
    thread.start()
    try:
        yield JobLog(actor)
    finally:
        is_done.set()
        thread.join()
        relay_once()
        ray.kill(actor)


def _call(callback: Callable[[Any], None] | None, figures: Any) -> None:
    if callback is None:
        return
    try:
        callback(figures)
    except Exception as error:  # of whatever kind: the job itself is well
        logger.warning(
            "the job's figures could not be shown: %s: %s", type(error).__name__, error
        )


def _start_actor() -> Any:
    """Start the actor on this host, so that losing another host does not end the log.

    Once per process Ray prints a warning about restartable actors whose arguments are
    in its object store. Ray Data's actors are such, and it keeps their arguments. This
    actor is made one, too, so that Ray prints the warning here, where stderr is off.
    """
    here = NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=False
    )
    remote_class = ray.remote(_JobLogActor).options(
        num_cpus=0, max_restarts=1, scheduling_strategy=here
    )
    with stderr_unheard():
        return remote_class.remote(ray.put(MAX_UNREAD_LINES))
