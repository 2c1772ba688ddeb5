"""The one door to Ray."""

import contextlib
import os
from pathlib import Path

import pytest
from job_process import pids_below

from galaxy_models.cluster.session import ray_session
from galaxy_models.errors import ResourceError

LISTENING = "0A"  # in /proc/net/tcp


def test_a_cluster_that_does_not_answer_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with (
        pytest.raises(ResourceError, match=r"RAY_ADDRESS=127\.0\.0\.1:9.*ray start"),
        ray_session(),
    ):
        pass


@pytest.mark.slow
def test_an_embedded_ray_listens_to_this_machine_alone(ray_here: None) -> None:
    sockets = listening_sockets([os.getpid(), *pids_below(os.getpid())])

    assert len(sockets) > 3  # Ray's own processes
    assert {address for address in sockets if not is_loopback(address)} == set()


@pytest.mark.slow
def test_an_embedded_ray_has_no_process_that_only_clusters_need(ray_here: None) -> None:
    started = {
        Path(argument).name
        for pid in pids_below(os.getpid())
        for argument in arguments(pid)
    }

    assert "raylet" in started
    assert started.isdisjoint({"monitor.py", "log_monitor.py", "dashboard.py"})


def arguments(pid: int) -> list[str]:
    """What a process was started with; nothing if it has ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    return []


def listening_sockets(pids: list[int]) -> list[str]:
    """Addresses that processes listen on, in hexadecimal, as Linux has them."""
    owned = set()
    for pid in pids:
        with contextlib.suppress(OSError):  # ended meanwhile
            links = list(Path(f"/proc/{pid}/fd").iterdir())
            owned |= {os.readlink(link) for link in links if link.is_symlink()}
    tables = [Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6")]
    entries = [line.split() for text in tables for line in text.splitlines()[1:]]
    return [
        entry[1].partition(":")[0]
        for entry in entries
        if entry[3] == LISTENING and f"socket:[{entry[9]}]" in owned
    ]


def is_loopback(address: str) -> bool:
    """Whether it is 127.0.0.1, also in IPv6's form, or ::1."""
    is_mapped = address.startswith("0" * 16 + "FFFF0000")
    return (
        address.endswith("7F")
        and (len(address) == 8 or is_mapped)
        or (address == "0" * 24 + "01000000")
    )
