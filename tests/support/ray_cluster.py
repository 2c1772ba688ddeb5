"""A Ray cluster of this machine's own processes, whose nodes can be lost.

Each node is started as on a machine of its own, by ``ray start``, on free ports; or on
a host of ``network_hosts``. This module knows nothing of what runs on it.
"""

import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from job_process import pids_below
from network_hosts import NetworkHost

PROGRAMS = Path(sys.executable).parent  # this environment's
RAY = str(PROGRAMS / "ray")
MAX_STARTS = 3
START_TIMEOUT_S = 240
NOTICE_TIMEOUT_S = 240
TOKEN = secrets.token_hex(32)  # new: sources are uploaded with a job

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

    session: Path
    """Where Ray keeps its own logs and sockets."""

    @property
    def ray_logs(self) -> Path:
        """Where Ray's own logs are."""
        return self.session / "session_latest" / "logs"

    def metrics_addresses(self) -> list[str]:
        """What Ray tells Prometheus to scrape."""
        listed = self.session / "prom_metrics_service_discovery.json"
        return [
            address
            for group in json.loads(listed.read_text())
            for address in group["targets"]
        ]

    @contextlib.contextmanager
    def running_node(
        self, num_cpus: int, host: NetworkHost | None = None
    ) -> Iterator["RayNode"]:
        """Start a node more, and end it afterwards.

        Args:
            num_cpus: CPUs that it offers.
            host: where; beside the head if left out.
        """
        flags = [f"--address={self.address}", f"--num-cpus={num_cpus}"]
        log = self.folder / f"node-{time.monotonic_ns()}"
        # Of its own, as on a machine of its own: a node that ends clears it up.
        with _folder_of_ray() as folder:
            flags.append(f"--temp-dir={folder}")
            node = _start_node(flags, host, self.environment, log)
            try:
                yield node
            finally:
                node.kill()

    def wait_until_given_up(self, host: NetworkHost) -> None:
        """Wait until the head takes the node of a host for dead."""
        words = f"address: {host.address} .* has been marked dead"
        deadline_s = time.monotonic() + NOTICE_TIMEOUT_S
        while not re.search(words, (self.ray_logs / "gcs_server.out").read_text()):
            assert time.monotonic() < deadline_s, f"{host} lives on"
            time.sleep(0.1)


@dataclass(frozen=True)
class RayNode:
    """A running node."""

    process: subprocess.Popen[bytes]
    host: NetworkHost | None = None

    def pids(self, title: str) -> list[int]:
        """Its processes whose titles begin so."""
        return pids_below(self.process.pid, title)

    def kill(self) -> None:
        """Kill all of its processes at once, as when a machine is switched off."""
        if self.host is not None:
            self.host.kill()
        for pid in [self.process.pid, *self.pids("")]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def running_head(
    folder: Path,
    num_cpus: int,
    host: NetworkHost | None = None,
    variables: Mapping[str, str] | None = None,
    programs: Path = PROGRAMS,
) -> Iterator[RayHead]:
    """Start a head with a dashboard and a token, and end it afterwards.

    Args:
        folder: for the token and the log.
        num_cpus: CPUs that it offers.
        host: where; on this machine's own network if left out.
        variables: further ones of the head, which submitted jobs inherit.
        programs: where `python` and `ray` are, of the head and of its jobs.
    """
    token = folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    port, dashboard_port = free_port(), free_port()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("RAY_")},
        # As in an activated environment: the jobs' `python` is this one.
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{dashboard_port}",
        "RAY_raylet_start_wait_time_s": "40",
        "RAY_worker_niceness": "0",  # as in conftest
        **EARLY_NOTICE,
    }
    flags = [
        *("--head", f"--port={port}", f"--num-cpus={num_cpus}"),
        *("--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard_port}"),
        f"--ray-client-server-port={free_port()}",
    ]
    with _folder_of_ray() as sockets:
        flags.append(f"--temp-dir={sockets}")
        of_head = {**environment, **(variables or {})}
        node = _start_node(flags, host, of_head, folder / "head", programs)
        try:
            address = host.address if host else "127.0.0.1"
            yield RayHead(f"{address}:{port}", environment, folder, Path(sockets))
        finally:
            node.kill()


def _start_node(
    flags: list[str],
    host: NetworkHost | None,
    environment: dict[str, str],
    log: Path,
    programs: Path = PROGRAMS,
) -> RayNode:
    """Start a node; again, as a supervisor would, if it dies before it stands.

    A busy machine kills it: Ray gives its agents 15 s to start.
    """
    command = [
        *(str(programs / "ray"), "start", "--block", "--disable-usage-stats", *flags),
        f"--dashboard-agent-listen-port={free_port()}",
    ]
    if host is not None:
        command = host.command(*command, f"--node-ip-address={host.address}")
    for attempt in range(1, MAX_STARTS + 1):
        log_path = log.with_name(f"{log.name}-{attempt}.log")
        with log_path.open("w") as stream:
            process = subprocess.Popen(
                command, env=environment, stdout=stream, stderr=stream
            )
        node = RayNode(process, host)
        if _has_started(process, log_path):
            break
        node.kill()
        assert attempt < MAX_STARTS, log_path.read_text()
    return node


def _folder_of_ray() -> tempfile.TemporaryDirectory[str]:
    """Make a folder for sockets, whose paths must be short, and logs."""
    return tempfile.TemporaryDirectory(
        prefix="ray-", dir="/tmp", ignore_cleanup_errors=True
    )


def free_port() -> int:
    """A port of loopback that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _has_started(node: subprocess.Popen[bytes], log: Path) -> bool:
    """Wait until a node stands, or ends before it does."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while "Ray runtime started" not in log.read_text():
        if node.poll() is not None or time.monotonic() > deadline_s:
            return False
        time.sleep(0.1)
    return True
