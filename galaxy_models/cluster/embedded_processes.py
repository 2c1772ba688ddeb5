"""Which of Ray's own processes an embedded Ray does without.

The only module that knows how Ray's head node starts them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray._private.node import Node

NEEDLESS = {
    "start_monitor": "the autoscaler's: a single host does not grow",
    "start_log_monitor": "sends what workers print, which the session switches off",
    "start_api_server": "serves the dashboard, which the session switches off",
}
"""Ray's methods that start a process each, and what of it is not needed here.

256 galaxies took 21 CPU seconds in 16 processes; these were 2.7 of them, and Ray waits
for the last one before it goes on. ``ray start`` has flags for the first two,
``ray.init`` for none: the dashboard's leaves its server's process.
"""


@contextmanager
def without_needless_processes() -> Iterator[None]:
    """Leave these processes out of an embedded Ray that starts in the block.

    A Ray that starts them otherwise has them.
    """
    starts = {name: getattr(Node, name) for name in NEEDLESS if hasattr(Node, name)}
    for name in starts:
        setattr(Node, name, _start_nothing)
    try:
        yield
    finally:
        for name, start in starts.items():
            setattr(Node, name, start)


def _start_nothing(_node: Node, **_options: Any) -> None:
    """Stand in for a start."""
