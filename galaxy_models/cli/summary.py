"""The last line of a job's stdout: a summary in JSON, for programs."""

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
    """What a job reports of itself.

    Args:
        job: its name.
    """

    def __init__(self, job: str) -> None:
        self.job = job
        self.output: str | None = None
        self.figures: Mapping[str, Any] = {}
        self._started_s = time.monotonic()

    def line(self, exit_code: int, error: str | None = None) -> str:
        """Write it as a line of JSON; NaN and infinity become null."""
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
    """Replace NaN and infinity, which JSON does not have, by null."""
    if isinstance(value, Mapping):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
