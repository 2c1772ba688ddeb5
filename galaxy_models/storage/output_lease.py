"""One job at a time in an output folder: a lease that the job renews.

The lease is a small file in the folder that names its holder (host, process, start). A
second job is refused unless the holder is dead:

- On the same machine: if no process has that id and that start time, which detects a
  reused id. (The same machine is one boot of one kernel and one container.) So a job
  that was killed and started again resumes at once.
- On another machine: if the holder, which rewrites the lease every ``BEAT_S``, changes
  no byte of it for ``SILENT_S``. The second job measures this with its own clock; the
  clocks of two machines may differ and are never compared.

Of two jobs that start together one gets the folder. On a local disk only one of them
can create the file. In an object store, and when a dead holder is replaced, each job
writes the file, waits ``SETTLE_S`` and reads it: the last writer stays, the other is
refused. Both stay only if one stalls for longer than that between its check and its
write, or if a living holder is silent for ``SILENT_S`` (a laptop that slept). So the
lease avoids wasted work; correct results must not depend on it.
"""

import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from galaxy_models import storage
from galaxy_models.errors import GalaxyBatchError, OutputError

logger = logging.getLogger(__name__)

LEASE_NAME = f"{storage.UNFINISHED_NAME}-held"  # readers of results pass it by
BEAT_S = 10.0
SILENT_S = 30.0  # three beats: a store or a busy machine may delay one
LOOK_S = 1.0  # between two looks at a lease that may be renewed
SETTLE_S = 1.0

_held_here: set[str] = set()  # tokens of the leases that this process renews


@dataclass(frozen=True)
class Holder:
    """Who holds a folder."""

    token: str
    """A random name of this one lease."""

    host: str
    pid: int
    started: str | None
    """When its process started, in the kernel's own unit; None if unknown."""

    machine: str | None
    """The machine that knows its process; None if unknown."""

    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on host {self.host}, since {self.since}"


@contextmanager
def hold(output: str) -> Iterator[None]:
    """Hold an output folder while the block runs; make it if it does not exist.

    Afterwards a folder that was made and is empty is removed.

    Args:
        output: the folder's absolute URI.

    Raises:
        OutputError: another job holds it; its host, process and start.
        StorageError: nothing can be written there.
    """
    uri = storage.join(output, LEASE_NAME)
    new_folders = [] if storage.is_remote(output) else _missing_folders(Path(output))
    holder = _this_process()
    _held_here.add(holder.token)
    is_over = threading.Event()
    beating = threading.Thread(
        target=_beat, args=(uri, holder, is_over), name="output-lease", daemon=True
    )
    try:
        _acquire(output, uri, holder)
        beating.start()
        yield
    finally:
        is_over.set()
        if beating.is_alive():
            beating.join(BEAT_S)  # longer only if its store does not answer
        _release(uri, holder)
        for folder in new_folders:
            with suppress(OSError):  # not empty
                folder.rmdir()


def _missing_folders(folder: Path) -> list[Path]:
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _this_process() -> Holder:
    fields = _process_fields(os.getpid())
    return Holder(
        token=secrets.token_hex(8),
        host=socket.gethostname(),
        pid=os.getpid(),
        started=fields[19] if fields else None,
        machine=_machine(),
        since=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    )


def _machine() -> str | None:
    """Name this boot of this kernel, and the process ids that are seen from here."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:  # not Linux
        return None


def _process_fields(pid: int) -> list[str]:
    """Read a process's state (0), start (19), …; empty if Linux shows no such one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _acquire(output: str, uri: str, holder: Holder) -> None:
    while True:
        if not storage.is_remote(uri) and _create(uri, holder):
            return
        found = _read(uri)
        if found is not None and _is_alive(output, uri, found):
            raise _refusal(output, _read(uri) or found)
        storage.write_bytes(uri, _encoded(holder))
        time.sleep(SETTLE_S)
        found = _read(uri)
        if found is not None and _token(found) != holder.token:
            raise _refusal(output, found)
        if found is not None:
            return


def _create(uri: str, holder: Holder) -> bool:
    """Make the file if there is none."""
    try:
        storage.make_folder(storage.parent(uri))
        with Path(uri).open("xb") as stream:
            stream.write(_encoded(holder))
    except (FileExistsError, FileNotFoundError):  # or a job that left took the folder
        return False
    except OSError as error:
        raise storage.unwritable(uri, error) from error
    return True


def _encoded(holder: Holder, beat: int = 0) -> bytes:
    return json.dumps({**asdict(holder), "beat": beat}, indent=2).encode()


def _read(uri: str) -> bytes | None:
    try:
        return storage.read_bytes(uri)
    except FileNotFoundError:
        return None


def _decoded(data: bytes) -> Holder | None:
    """Read who holds a folder; None if the file is being written, or is not ours."""
    try:
        fields = json.loads(data)
        del fields["beat"]
        return Holder(**fields)
    except (ValueError, TypeError, KeyError):
        return None


def _token(data: bytes) -> str | None:
    holder = _decoded(data)
    return holder.token if holder else None


def _refusal(output: str, data: bytes) -> OutputError:
    return OutputError(
        f"--output {output} is held by {_decoded(data) or 'another job'}; wait for it, "
        "or name another folder."
    )


def _is_alive(output: str, uri: str, found: bytes) -> bool:
    holder = _decoded(found)
    if holder is not None and holder.machine and holder.machine == _machine():
        return _runs_here(holder)
    return _beats(output, uri, found)


def _runs_here(holder: Holder) -> bool:
    if holder.pid == os.getpid():
        return holder.token in _held_here
    fields = _process_fields(holder.pid)
    if not fields:  # it ended, or /proc hides the processes of other users
        return bool(psutil.pid_exists(holder.pid))
    return fields[0] not in "ZX" and fields[19] == holder.started


def _beats(output: str, uri: str, found: bytes) -> bool:
    """Watch whether a holder on another machine renews its lease."""
    logger.info(
        "%s was taken by %s: waiting up to %.0f s for a sign of life",
        output,
        _decoded(found) or "another job",
        SILENT_S,
    )
    deadline_s = time.monotonic() + SILENT_S
    while time.monotonic() < deadline_s:
        time.sleep(LOOK_S)
        now = _read(uri)
        if now != found:
            return now is not None
    logger.info("%s: no sign of life; this job takes its place", output)
    return False


def _beat(uri: str, holder: Holder, is_over: threading.Event) -> None:
    """Renew a lease until it is over, or another job has taken it."""
    beat = 0
    while not is_over.wait(BEAT_S):
        beat += 1
        try:
            found = _read(uri)
            if found is not None and _token(found) != holder.token:
                logger.warning(
                    "%s took this job's output over, as it was silent for long: both "
                    "work now; stop one of them",
                    _decoded(found) or "another job",
                )
                return
            storage.write_bytes(uri, _encoded(holder, beat))
        except (GalaxyBatchError, OSError) as error:  # a full disk: the job will say so
            logger.debug("the lease %s was not renewed: %s", uri, error)


def _release(uri: str, holder: Holder) -> None:
    _held_here.discard(holder.token)
    try:
        found = _read(uri)
        if found is not None and _token(found) == holder.token:
            storage.delete_file(uri)
    except (GalaxyBatchError, OSError) as error:  # it ends with this process
        logger.debug("the lease %s was not given back: %s", uri, error)
