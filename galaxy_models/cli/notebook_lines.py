"""Lines of the log below a notebook's cell; a line of progress replaces the last one.

Without this a cell of hours would be silent, and with ``logging.basicConfig`` its lines
stand in the red box of stderr. Outside of Jupyter's kernels, and where the caller has
set logging up, nothing is shown and nothing changed.
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
NO_WIDGETS = "IProgress not found"  # tqdm's warning, once Ray imports it
WIDGETS_LOGGER = "ray.widgets.util"  # likewise


@contextmanager
def lines_in_cell() -> Iterator[None]:
    """Show this package's log below the cell while the block runs."""
    logger = logging.getLogger("galaxy_models")
    if not _is_in_kernel() or logger.hasHandlers():
        yield
        return
    lines = _CellLines()
    lines.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    of_widgets = logging.getLogger(WIDGETS_LOGGER)
    levels = logger.level, of_widgets.level
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    of_widgets.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", NO_WIDGETS)
            yield
    finally:
        logger.removeHandler(lines)
        logger.setLevel(levels[0])
        of_widgets.setLevel(levels[1])


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
