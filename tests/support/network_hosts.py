"""Hosts on this machine: network namespaces, joined by a switch that is one too.

Nothing of it touches the machine's own network. The hosts share its file system, but
for folders that are private to one of them. It wants Linux, root and iproute2; this
module knows nothing of what runs on the hosts.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from job_process import arguments_of

NETWORK = "10.77.0"
PREFIX = "galaxies-"  # of namespaces; the id of the process that made them follows
END_TIMEOUT_S = 120
MOUNT_AND_RUN = 'mount -t tmpfs tmpfs "$0" && exec "$@"'


class NoHostsError(Exception):
    """This machine lets nobody make network namespaces."""


@dataclass(frozen=True)
class NetworkHost:
    """A host: its processes see its own network only."""

    namespace: str
    address: str
    switch: str
    port: str
    """Its link's other end, in the switch."""

    private_folder: Path | None = None
    """A folder whose content the host does not share with the others."""

    def command(self, *words: str) -> list[str]:
        """Words that run a command on this host; its process keeps its id."""
        enter = ["nsenter", f"--net=/run/netns/{self.namespace}"]
        if self.private_folder is not None:
            own_disk = ("unshare", "--mount", "sh", "-c", MOUNT_AND_RUN)
            enter += [*own_disk, str(self.private_folder)]
        return [*enter, *words]

    def pids(self, title: str = "") -> list[int]:
        """Its processes whose titles begin so."""
        pids = _pids(self.namespace)
        return [pid for pid in pids if arguments_of(pid).startswith(title)]

    def kill(self) -> None:
        """Kill all of its processes at once, as when a machine is switched off."""
        _kill(self.namespace)

    def cut_link(self) -> None:
        """Pull the plug out of the switch; nobody is told."""
        _ip("-n", self.switch, "link", "set", self.port, "down")

    def mend_link(self) -> None:
        """Plug it in again."""
        _ip("-n", self.switch, "link", "set", self.port, "up")


@contextlib.contextmanager
def network_hosts(
    *names: str, private_folders: dict[str, Path] | None = None
) -> Iterator[list[NetworkHost]]:
    """Make hosts that reach each other and nothing else; end all that runs on them.

    Args:
        names: of the hosts.
        private_folders: by host: an existing folder that is empty there, and its own.

    Raises:
        NoHostsError: it cannot be done here.
    """
    _check_tools()
    _remove_what_lost_tests_left()
    prefix = f"{PREFIX}{os.getpid()}-"
    with contextlib.ExitStack() as stack:
        switch = stack.enter_context(_namespace(f"{prefix}switch"))
        _ip("-n", switch, "link", "add", "br0", "type", "bridge")
        _ip("-n", switch, "link", "set", "br0", "up")
        hosts = []
        for number, name in enumerate(names, start=1):
            host = NetworkHost(
                namespace=stack.enter_context(_namespace(prefix + name)),
                address=f"{NETWORK}.{number}",
                switch=switch,
                port=f"port{number}",
                private_folder=(private_folders or {}).get(name),
            )
            _plug_in(host)
            hosts.append(host)
        yield hosts


def _check_tools() -> None:
    missing = [tool for tool in ("ip", "nsenter", "unshare") if not shutil.which(tool)]
    if missing:
        raise NoHostsError(f"{' and '.join(missing)} not found (iproute2, util-linux)")
    if os.geteuid() != 0:
        raise NoHostsError("only root may make network namespaces")


def _remove_what_lost_tests_left() -> None:
    """End the hosts of processes that were killed before they could do it."""
    for namespace in _ip("netns", "list").split():
        made_by = re.fullmatch(rf"{PREFIX}(\d+)-\w+", namespace)
        if made_by and not Path(f"/proc/{made_by[1]}").exists():
            _kill(namespace)
            _ip("netns", "delete", namespace)


@contextlib.contextmanager
def _namespace(name: str) -> Iterator[str]:
    try:
        _ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        raise NoHostsError(error.stderr.strip()) from error
    try:
        _ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        _kill(name)
        _ip("netns", "delete", name)


def _plug_in(host: NetworkHost) -> None:
    link = ("link", "add", host.port, "type", "veth")
    peer = ("peer", "name", "eth0", "netns", host.namespace)
    _ip("-n", host.switch, *link, *peer)
    _ip("-n", host.switch, "link", "set", host.port, "master", "br0", "up")
    _ip("-n", host.namespace, "address", "add", f"{host.address}/24", "dev", "eth0")
    _ip("-n", host.namespace, "link", "set", "eth0", "up")
    # Ray asks which way the internet would be, to learn its own address.
    _ip("-n", host.namespace, "route", "add", "default", "via", host.address)


def _pids(namespace: str) -> list[int]:
    return [int(pid) for pid in _ip("netns", "pids", namespace).split()]


def _kill(namespace: str) -> None:
    deadline_s = time.monotonic() + END_TIMEOUT_S
    while pids := _pids(namespace):
        assert time.monotonic() < deadline_s, pids
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=True)
    return done.stdout
