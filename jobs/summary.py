"""A job's last words on stdout: one line of JSON, for machines."""

import json
import math
import time
from collections.abc import Mapping
from typing import Any

STATUSES = {
    0: "done",
    1: "failed",
    2: "refused",
    130: "interrupted",
    143: "stopped",
}
"""What each exit code means, in a word."""


class Summary:
    """What is known of a job so far.

    Args:
        job: its name.
    """

    def __init__(self, job: str) -> None:
        self.job = job
        self.output: str | None = None
        self.figures: Mapping[str, Any] = {}
        self._started_s = time.monotonic()

    def line(self, exit_code: int, error: str | None = None) -> str:
        """Put it into a line; what is not a number is null in it."""
        record = {
            "job": self.job,
            "status": STATUSES[exit_code],
            "exit_code": exit_code,
            "output": self.output,
            "seconds": round(time.monotonic() - self._started_s, 1),
            "error": error,
            **self.figures,
        }
        return json.dumps(_finite(record), ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """Put null in the place of NaN and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
