"""A Ray cluster of this machine's own processes, whose nodes can be lost.

Each node is started as on a machine of its own, by ``ray start``, on free ports. This
module knows nothing of what runs on it.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from job_process import pids_below

RAY = str(Path(sys.executable).parent / "ray")
START_TIMEOUT_S = 120
TOKEN = "a-token-for-this-test-only-0123456789"

# A head notices after 5 s, not 15, that a node is gone.
EARLY_NOTICE = {
    "RAY_health_check_initial_delay_ms": "2000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "4000",
    "RAY_health_check_failure_threshold": "3",
}


@dataclass(frozen=True)
class RayHead:
    """A running head."""

    address: str
    """As in ``RAY_ADDRESS``."""

    environment: dict[str, str]
    """Of all its nodes, and of commands that talk to it."""

    folder: Path
    """For logs."""

    sockets: Path
    """Ray's own."""

    def metrics_addresses(self) -> list[str]:
        """What Ray tells Prometheus to scrape."""
        listed = self.sockets / "prom_metrics_service_discovery.json"
        return [
            address
            for group in json.loads(listed.read_text())
            for address in group["targets"]
        ]

    @contextlib.contextmanager
    def running_node(self, num_cpus: int) -> Iterator["RayNode"]:
        """Start a node more, and end it afterwards."""
        command = [
            *(RAY, "start", "--block", f"--address={self.address}"),
            *(f"--num-cpus={num_cpus}", "--disable-usage-stats"),
            f"--dashboard-agent-listen-port={free_port()}",
        ]
        log_path = self.folder / f"node-{time.monotonic_ns()}.log"
        with log_path.open("w") as log:
            process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log
            )
        node = RayNode(process)
        try:
            deadline_s = time.monotonic() + START_TIMEOUT_S
            while "Ray runtime started" not in log_path.read_text():
                assert process.poll() is None, log_path.read_text()
                assert time.monotonic() < deadline_s, log_path.read_text()
                time.sleep(0.1)
            yield node
        finally:
            node.kill()


@dataclass(frozen=True)
class RayNode:
    """A running node, beside the head."""

    process: subprocess.Popen[bytes]

    def pids(self, title: str) -> list[int]:
        """Its processes whose titles begin so."""
        return pids_below(self.process.pid, title)

    def kill(self) -> None:
        """Kill all of its processes at once, as when a machine is switched off."""
        for pid in [self.process.pid, *self.pids("")]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def running_head(folder: Path, num_cpus: int) -> Iterator[RayHead]:
    """Start a head with a dashboard and a token, and end it afterwards.

    Args:
        folder: for the token and the log.
        num_cpus: CPUs that it offers.
    """
    token = folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    port, dashboard_port = free_port(), free_port()
    dashboard = f"http://127.0.0.1:{dashboard_port}"
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("RAY_")},
        # As in an activated environment: the jobs' `python` is this one.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_API_SERVER_ADDRESS": dashboard,
        "RAY_raylet_start_wait_time_s": "180",
        **EARLY_NOTICE,
    }
    command = [
        *(RAY, "start", "--head", "--block", f"--port={port}"),
        *("--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard_port}"),
        f"--dashboard-agent-listen-port={free_port()}",
        f"--ray-client-server-port={free_port()}",
        *(f"--num-cpus={num_cpus}", "--disable-usage-stats"),
    ]
    with contextlib.ExitStack() as stack:
        log = stack.enter_context((folder / "head.log").open("w"))
        # Paths of sockets must be short.
        sockets = stack.enter_context(
            tempfile.TemporaryDirectory(
                prefix="ray-", dir="/tmp", ignore_cleanup_errors=True
            )
        )
        command.append(f"--temp-dir={sockets}")
        head = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(dashboard, head, folder / "head.log")
            yield RayHead(f"127.0.0.1:{port}", environment, folder, Path(sockets))
        finally:
            head.send_signal(signal.SIGTERM)
            head.wait(timeout=90)


def free_port() -> int:
    """A port of loopback that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, head: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        assert head.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(f"no dashboard at {url}: {log.read_text()}")
