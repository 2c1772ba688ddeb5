"""A job in a process of its own, to be watched, and to lose parts of itself."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 480
KILLED_WITHIN_S = 45  # busy machines take seconds; an orphaned Ray takes 60
RAYLET = ("raylet", "ray::DashboardAgent", "ray::RuntimeEnvAgent")  # end together


class JobProcess:
    """``python -m MODULE FLAGS`` from the repository's root.

    Args:
        module: a job, such as ``jobs.score``.
        flags: its flags.
        log: file for what it says.
        environment: variables beside this process's.
        python: what runs it; this Python if left out.
    """

    def __init__(
        self,
        module: str,
        flags: list[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        python: Sequence[str] = (sys.executable,),
    ) -> None:
        self._log = log
        with log.open("w") as stream:
            self.process = subprocess.Popen(
                [*python, "-m", module, *flags],
                cwd=ROOT,
                env={**os.environ, **(environment or {})},
                stdout=stream,
                stderr=stream,
            )

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self._log.read_text()

    def wait_for(self, text: str) -> None:
        """Wait until it says something."""
        self.wait_until(lambda: text in self.log)

    def wait_until(self, has_happened: Callable[[], bool]) -> None:
        """Wait for an event that comes while it runs."""
        deadline = time.monotonic() + TIMEOUT_S
        is_over = False
        while not has_happened():
            assert not is_over, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)
            is_over = self.process.poll() is not None  # its last words come before

    def exit_code(self) -> int:
        """Wait for its end; of one that a signal ended, as a shell gives it."""
        code = self.process.wait(TIMEOUT_S)
        return code if code >= 0 else 128 - code

    def kill(self) -> None:
        """Kill it; and then what is left of its Ray, which would take a minute.

        So do Slurm and Kubernetes, which end a job's whole group.
        """
        below = pids_below(self.process.pid)
        self.process.kill()
        self.exit_code()
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until_gone(below)

    def stop(self) -> None:
        """Send SIGTERM to all of it, as Slurm does, and once more; all of it goes.

        ``ray job stop`` and Kubernetes send it to the job alone. The raylet gets it
        when the job has ended: Ray ends a driver whose raylet has gone, with exit code
        1, and on a busy machine that may come before the driver's own end.
        """
        below = pids_below(self.process.pid)
        raylet = [pid for pid in below if program_of(pid) in RAYLET]
        at_once = [pid for pid in below if pid not in raylet]
        terminate([self.process.pid, *at_once])
        self.wait_for("stopped by SIGTERM")
        terminate([self.process.pid])
        assert self.exit_code() == 143, self.log
        terminate(raylet)
        wait_until_gone(below)

    def pids(self, title: str) -> list[int]:
        """Processes below this one whose titles begin so: ``ray::RayTrainWorker``."""
        return pids_below(self.process.pid, title)


def pids_below(ancestor: int, title: str = "") -> list[int]:
    """Processes that a process started, and those that they did.

    Args:
        ancestor: its id.
        title: how the wanted ones' titles begin.
    """
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # ended meanwhile
            continue
        parents[int(folder.name)] = int(fields[1])

    def is_below(pid: int) -> bool:
        while pid > 1 and pid != ancestor:
            pid = parents.get(pid, 0)
        return pid == ancestor

    return [
        pid
        for pid in parents
        if is_below(pid) and pid != ancestor and arguments_of(pid).startswith(title)
    ]


def program_of(pid: int) -> str:
    """A process's program without its folder, or its title; empty if it ended."""
    return arguments_of(pid).split("\0")[0].rpartition("/")[2].strip()


def terminate(pids: Iterable[int]) -> None:
    """Send SIGTERM to those that have not ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def arguments_of(pid: int) -> str:
    """A process's arguments; empty if it ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def wait_until_gone(pids: Iterable[int]) -> None:
    """Wait for the end of processes that were killed."""
    deadline = time.monotonic() + KILLED_WITHIN_S
    while left := [pid for pid in pids if _is_running(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def _is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
