"""A job in a process of its own, to be watched, and to lose parts of itself."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 240


class JobProcess:
    """``python -m MODULE FLAGS`` from the repository's root.

    Args:
        module: a job, such as ``jobs.score``.
        flags: its flags.
        log: file for what it says.
    """

    def __init__(self, module: str, flags: list[str], log: Path) -> None:
        self._log = log
        with log.open("w") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *flags],
                cwd=ROOT,
                stdout=stream,
                stderr=stream,
            )

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text()

    def wait_for(self, text: str) -> None:
        """Wait until it says something."""
        deadline = time.monotonic() + TIMEOUT_S
        while text not in self.log:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def exit_code(self) -> int:
        """Wait for its end."""
        return self.process.wait(TIMEOUT_S)

    def kill(self) -> None:
        """Kill it, and wait until its Ray has ended with it."""
        below = self._below()
        self.process.kill()
        self.exit_code()
        deadline = time.monotonic() + TIMEOUT_S
        while any(_is_running(pid) for pid in below):
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def pids(self, title: str) -> list[int]:
        """Processes below this one whose titles begin so: ``ray::RayTrainWorker``."""
        return [pid for pid in self._below() if _title(pid).startswith(title)]

    def _below(self) -> list[int]:
        parents = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # ended meanwhile
                continue
            parents[int(folder.name)] = int(fields[1])

        def is_below(pid: int) -> bool:
            while pid > 1 and pid != self.process.pid:
                pid = parents.get(pid, 0)
            return pid == self.process.pid

        return [pid for pid in parents if is_below(pid) and pid != self.process.pid]


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
