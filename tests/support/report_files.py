"""What evaluating predictions leaves, read as its people read it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from page import Page

if TYPE_CHECKING:  # importing it takes seconds, and every test would wait
    from galaxy_models.evaluation import Report

Evaluate = Callable[..., "Report"]


def metrics_of(report: Path) -> Any:
    """Read a report's metrics; NaN, which is no JSON, is refused."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    text = (report / "metrics.json").read_text()
    return json.loads(text, parse_constant=refuse)


def page_of(report: Path) -> Page:
    """Parse a report's page."""
    return Page((report / "report.html").read_text())
