"""Lines of the log below a notebook's cell; a line of progress replaces the last one.

Without this a cell of hours would be silent, and with ``logging.basicConfig`` its lines
stand in the red box of stderr. Outside of Jupyter's kernels nothing is changed; where
the caller has set logging up, the lines go there alone.
"""

import logging
import sys
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MAX_LINES = 30  # the last ones; a cell is no log file
OF_PROGRESS = "galaxy_models.cluster.progress"
NO_WIDGETS = "IProgress not found"  # tqdm's warning, as Ray is imported
WIDGETS_LOGGER = "ray.widgets.util"  # likewise


@contextmanager
def lines_in_cell() -> Iterator[None]:
    """Show this package's log below the cell while the block runs."""
    if _is_in_kernel():
        with _widgets_not_missed(), _shown(logging.getLogger("galaxy_models")):
            yield
    else:
        yield


@contextmanager
def _shown(logger: logging.Logger) -> Iterator[None]:
    """Show a logger's lines, unless they go somewhere already."""
    if logger.hasHandlers():
        yield
        return
    lines = _CellLines()
    lines.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    level = logger.level
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(lines)
        logger.setLevel(level)


@contextmanager
def _widgets_not_missed() -> Iterator[None]:
    """Keep Ray and tqdm from asking for widgets, which nothing here shows."""
    logger = logging.getLogger(WIDGETS_LOGGER)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", NO_WIDGETS)
            yield
    finally:
        logger.setLevel(level)


def _is_in_kernel() -> bool:
    """Whether a notebook's cell runs this; IPython in a terminal has no kernel."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return hasattr(shell, "kernel")


class _CellLines(logging.Handler):
    """Shows the last lines in one place below the cell."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=MAX_LINES)
        self._ends_with_progress = False
        self._place: Any = None

    def emit(self, record: logging.LogRecord) -> None:
        """Show a line more; called from the job's own threads, too."""
        is_progress = record.name == OF_PROGRESS
        if is_progress and self._ends_with_progress:
            self._lines.pop()
        self._ends_with_progress = is_progress
        self._lines.append(self.format(record))
        self._show({"text/plain": "\n".join(self._lines)})

    def _show(self, content: dict[str, str]) -> None:
        from IPython.display import display  # it runs this

        if self._place is None:
            self._place = display(content, raw=True, display_id=True)
        else:
            self._place.update(content, raw=True)
