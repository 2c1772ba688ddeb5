"""A line every few seconds: rows done, images/s, failures, time left.

Starts no Ray: a plan without it uses this too.
"""

import logging
import time
from collections import Counter

logger = logging.getLogger(__name__)

MIN_WHOLE_RATE = 10  # 1/s; slower ones are shown with a decimal


class Progress:
    """Turns sums of counts into log lines.

    Args:
        num_rows: rows of the catalog.
        num_kept: rows of it that an earlier run has written.
        interval_s: seconds between two lines.
        noun: what the rows are.
        rate_noun: what is counted a second.
    """

    def __init__(
        self,
        num_rows: int,
        num_kept: int,
        interval_s: float,
        noun: str = "rows",
        rate_noun: str = "images",
    ) -> None:
        self._noun = noun
        self._rate_noun = rate_noun
        self._num_rows = num_rows
        self._num_kept = num_kept
        self._interval_s = interval_s
        self._first: tuple[float, int] | None = None
        self._last_line_s = time.monotonic()

    def __call__(self, counts: Counter[str]) -> None:
        """Log a line if one is due.

        Args:
            counts: ``rows`` and ``failed`` of this run so far; a retry counts again.
        """
        now_s, done = time.monotonic(), counts["rows"]
        if self._first is None and done:
            self._first = now_s, done  # the rate leaves start-up out
        if now_s - self._last_line_s < self._interval_s:
            return
        self._last_line_s = now_s
        logger.info("%s", self._line(now_s, done, counts["failed"]))

    def _line(self, now_s: float, done: int, num_failed: int) -> str:
        if self._first is None:
            return "starting: no row yet"
        first_s, first_done = self._first
        rate = (done - first_done) / max(now_s - first_s, 1e-9)
        there = self._num_kept + done
        left = f"{max(self._num_rows - there, 0) / rate:.0f} s left" if rate else ""
        share = 100 * there / self._num_rows
        speed = f"{rate:.{1 if 0 < rate < MIN_WHOLE_RATE else 0}f}"
        return (
            f"{there} of {self._num_rows} {self._noun} ({share:.0f} %), {speed} "
            f"{self._rate_noun}/s, {num_failed} failed, {left or 'rate not known yet'}"
        )
