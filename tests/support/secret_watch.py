"""Where a secret could show while a job runs: processes' arguments, files."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from job_process import arguments_of

PERIOD_S = 0.2


@contextmanager
def watched_arguments() -> Iterator[set[str]]:
    """Collect the arguments of all of this machine's processes, also of short ones.

    Yields:
        What is filled meanwhile.
    """
    seen: set[str] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(PERIOD_S):
            for folder in Path("/proc").glob("[0-9]*"):
                seen.add(arguments_of(int(folder.name)))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def files_with(secret: str, folder: Path) -> list[Path]:
    """Files below a folder that hold a secret."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files, f"nothing to look at in {folder}"
    return [path for path in files if secret.encode() in path.read_bytes()]
