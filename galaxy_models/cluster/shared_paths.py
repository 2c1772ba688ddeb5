"""Whether every host of a cluster sees the same files at a local path.

A path may lie on one host's disk or in a file system that all hosts share (NFS,
Lustre). Its name does not show which, so a task on each host looks. Object stores are
the same everywhere, and a single host needs no check. This module does not know what is
in the files. Without a Ray that runs there are no other hosts, and none is imported.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from galaxy_models import storage
from galaxy_models.cluster.hosts import ask, listed, other_hosts
from galaxy_models.errors import ResourceError

MAX_FILES = 32  # of many, evenly spread; each host reads the ends of each
END_BYTES = 64 * 2**10  # a Parquet file's footer, a card
APPEARS_WITHIN_S = 5.0  # a file that another host wrote; NFS is not instant
PROBE_NAME = f"{storage.UNFINISHED_NAME}-probe"
REMEDY = "put it on s3:// or in a folder that all hosts share, at the same path."


def check_inputs(what: str, uris: Sequence[str]) -> None:
    """Refuse local files that some host of the cluster does not see as this one does.

    Args:
        what: the flag that named them, for messages.
        uris: the files, which exist here; those in object stores are skipped.

    Raises:
        ResourceError: naming a file and the hosts.
    """
    paths = [uri for uri in uris if not storage.is_remote(uri)]
    paths = paths[:: max(1, -(-len(paths) // MAX_FILES))]
    answers = ask(other_hosts(), _fingerprints, paths) if paths else []
    for index, expected in enumerate(_fingerprints(paths) if answers else []):
        found = [(host, seen[index]) for host, seen in answers]
        if blind := [host for host, one in found if one is None]:
            raise _refusal(what, paths[index], "cannot be read", blind)
        if misled := [host for host, one in found if one != expected]:
            raise _refusal(what, paths[index], "is another file", misled)


def check_output(uri: str) -> None:
    """Refuse a local output folder that some host of the cluster does not see.

    A file is written where the folder will be made, and deleted again.

    Raises:
        ResourceError: naming the folder and the hosts.
        StorageError: nothing can be written there.
    """
    if storage.is_remote(uri) or not other_hosts():
        return
    folders = [Path(uri), *Path(uri).parents]
    folder = next(path for path in folders if path.is_dir())
    probe = str(folder / f"{PROBE_NAME}-{secrets.token_hex(8)}")
    storage.write_bytes(probe, b"seen?")
    try:
        answers = ask(other_hosts(), _appears, probe)
    finally:
        storage.delete_file(probe)
    if blind := [host for host, sees_it in answers if not sees_it]:
        raise _refusal("--output", uri, "would be another folder", blind)


def _refusal(what: str, path: str, how: str, hosts: list[str]) -> ResourceError:
    return ResourceError(
        f"{what} {path} {how} on {listed(hosts)} of this cluster; {REMEDY}"
    )


def _fingerprints(paths: Sequence[str]) -> list[str | None]:
    """Identify files by their sizes and ends; None for what is not a file."""
    return [_fingerprint(path) for path in paths]


def _fingerprint(path: str) -> str | None:
    try:
        with Path(path).open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            ends = stream.read(END_BYTES)
            stream.seek(max(0, size - END_BYTES))
            ends += stream.read(END_BYTES)
    except OSError:
        return None
    return f"{size} {hashlib.sha256(ends).hexdigest()}"


def _appears(path: str) -> bool:
    """Whether a new file becomes visible within ``APPEARS_WITHIN_S``."""
    deadline_s = time.monotonic() + APPEARS_WITHIN_S
    while not Path(path).exists():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.2)
    return True
