"""Any URI -> filesystem and bytes.

A URI is a local path (absolute or relative), ``file://…`` or ``s3://bucket/key``.
Errors of object stores are explained by ``s3``: every function here may raise
``StoreAccessError`` (the user can fix it) and ``StorageError`` (the job fails and can
be run again, as when a disk is full). This module knows nothing of catalogs, images or
models.
"""

import errno
import os
import posixpath
import stat
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
from pyarrow import fs

from galaxy_models.errors import GalaxyBatchError, InputError, StorageError
from galaxy_models.storage import s3, s3_settings
from galaxy_models.storage.s3_objects import check_size

Result = TypeVar("Result")

REMOTE_SCHEMES = ("s3",)
FULL = (errno.ENOSPC, errno.EDQUOT)  # the disk, or the user's share of it
UNFINISHED_NAME = "_unfinished"  # prefix of unfinished files' names
MAX_DELETIONS = 3  # attempts to delete a folder of a store that loses answers


def absolute_uri(uri: str) -> str:
    """Make a URI independent of the working directory.

    Returns:
        An absolute local path, or the remote URI without a closing slash.

    Raises:
        InputError: the scheme is neither ``file`` nor ``s3``, no bucket is named, or a
            password is.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return str(Path(uri).expanduser().absolute())
    if scheme == "file":
        return str(Path(rest).absolute())
    if scheme in REMOTE_SCHEMES:
        if not rest.strip("/"):
            raise InputError(f"cannot open {uri!r}: it names no bucket.")
        if holds_password(uri):
            raise InputError(
                f"a {scheme}:// URI holds a key or a password; take it out, and give "
                "keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            )
        return uri.rstrip("/")
    raise InputError(
        f"cannot open {uri!r}: unknown scheme {scheme!r}; use a local path or s3://."
    )


def holds_password(uri: str) -> bool:
    """Whether a remote URI holds credentials in front of the bucket's name."""
    bucket = uri.partition("://")[2].partition("/")[0]
    return not {":", "@"}.isdisjoint(bucket)


def is_remote(uri: str) -> bool:
    """Whether a URI is in an object store, the same for every machine."""
    return uri.partition("://")[0] in REMOTE_SCHEMES


def join(folder_uri: str, path: str) -> str:
    """Resolve a path against a folder; absolute paths and URIs stay as they are."""
    if "://" in path:
        return path
    return posixpath.join(folder_uri, path)


def resolved(uri: str) -> str:
    """The absolute URI of a file or folder, local links followed."""
    uri = absolute_uri(uri)
    return uri if is_remote(uri) else str(Path(uri).resolve())


def are_apart(uri: str, other: str) -> bool:
    """Whether two folders are neither one nor one in the other."""
    one, two = (f"{resolved(folder)}/" for folder in (uri, other))
    return not (one.startswith(two) or two.startswith(one))


def parent(uri: str) -> str:
    """The folder that contains a file or folder."""
    return posixpath.dirname(uri)


def filesystem_and_path(uri: str) -> tuple[fs.FileSystem, str]:
    """Open the filesystem of a URI.

    Returns:
        A pyarrow filesystem, and the URI's path in it.

    Raises:
        InputError: the scheme is unknown.
    """
    uri = absolute_uri(uri)
    if not is_remote(uri):
        return _local_filesystem(), uri
    bucket_uri = "/".join(uri.split("/")[:3])
    return s3.filesystem(bucket_uri), uri.partition("://")[2]


@lru_cache(maxsize=1)
def _local_filesystem() -> fs.FileSystem:
    return fs.LocalFileSystem()


def read_bytes(
    uri: str, max_bytes: int | None = None, settings: s3_settings.Settings | None = None
) -> bytes:
    """Read a whole file.

    Args:
        uri: of the file.
        max_bytes: that it may have.
        settings: what ``s3_settings.current`` gave, for who reads many; None: look.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: a local file cannot be read, or is none (a pipe, a device); or, with
            ``errno.EFBIG``, the file is larger than ``max_bytes``, and nothing was
            read.
        StoreAccessError: an object store refuses this file.
        StorageError: an object store does not answer, or refuses everything.
    """
    uri = absolute_uri(uri)
    if is_remote(uri):
        return s3.read(uri, max_bytes, settings)
    with open(uri, "rb", opener=_open_at_once) as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError("not a regular file")
        check_size(status.st_size, max_bytes)
        return stream.read(status.st_size)


def _open_at_once(path: str, flags: int) -> int:
    """Open a file without blocking: a pipe would wait for a writer."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def write_bytes(uri: str, data: bytes) -> None:
    """Write a whole file, making its folder where there are folders.

    Whoever looks sees the whole file, or what stood there before; also if the process
    ends meanwhile, the disk is full, or the power fails: once this returns, the disk
    has the file and its name.

    Raises:
        StorageError: a disk is full or cannot be written; or as for any store.
    """

    def write_all(filesystem: fs.FileSystem, path: str) -> None:
        with filesystem.open_output_stream(path) as stream:
            stream.write(data)

    uri = absolute_uri(uri)
    if is_remote(uri):  # an object appears when it is complete
        s3.ask(uri, write_all)
        return
    try:
        make_folder(parent(uri))
        _write_at_once(Path(uri), data)
    except OSError as error:
        raise unwritable(uri, error) from error


def _write_at_once(path: Path, data: bytes) -> None:
    unfinished = path.with_name(f"{UNFINISHED_NAME}-{uuid.uuid4().hex}")
    try:
        with unfinished.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """Make the disk keep the names in a folder; some file systems cannot be asked."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def unwritable(uri: str, error: OSError) -> GalaxyBatchError:
    """Explain in one line why a file cannot be written, with the remedy.

    Args:
        uri: the file, local or not.
        error: what pyarrow or the system raised.
    """
    if s3.is_store_error(error):
        return s3.explained(uri, error)
    if error.errno in FULL:
        what, remedy = f"the disk of {parent(uri)} is full", "make room there"
    else:
        what, remedy = f"cannot write {uri}", "check that folder"
    reason = os.strerror(error.errno) if error.errno else str(error)
    return StorageError(f"{what} ({reason}); {remedy}, and run the same command again.")


def _work_on(
    uri: str, work: Callable[[fs.FileSystem, str], Result], *, is_look: bool = False
) -> Result:
    """Do something on disk, or in an object store as ``object_store.ask`` does."""
    uri = absolute_uri(uri)
    if is_remote(uri):
        return s3.ask(uri, work, is_look=is_look)
    return work(_local_filesystem(), uri)


def make_folder(uri: str) -> None:
    """Make a local folder; object stores have none, so there it does nothing.

    (A 0-byte directory key on S3 breaks pandas' reading of a data set.)
    """
    if not is_remote(uri):
        path = Path(uri)
        missing = [one for one in (path, *path.parents) if not one.exists()]
        path.mkdir(parents=True, exist_ok=True)
        for made in missing:
            _sync_folder(made.parent)


def is_file(uri: str) -> bool:
    """Whether a file stands at the URI."""
    return bool(_file_type(uri) == fs.FileType.File)


def is_folder(uri: str) -> bool:
    """Whether a folder (or a key prefix that is in use) stands at the URI."""
    return bool(_file_type(uri) == fs.FileType.Directory)


def _file_type(uri: str) -> fs.FileType:
    info = _work_on(uri, lambda store, path: store.get_file_info(path), is_look=True)
    if info.type == fs.FileType.NotFound and is_remote(uri):
        s3.check_bucket(uri)
    return info.type


def modified_s(uri: str) -> float | None:
    """When a file was last written, in seconds since 1970; None if there is none."""
    info = _work_on(uri, lambda store, path: store.get_file_info(path), is_look=True)
    return None if info.mtime_ns is None else info.mtime_ns / 1e9


def list_names(folder_uri: str) -> list[str]:
    """Names of what lies directly in a folder, sorted; empty if there is none."""

    def list_infos(filesystem: fs.FileSystem, path: str) -> list[fs.FileInfo]:
        selector = fs.FileSelector(path, allow_not_found=True)
        return list(filesystem.get_file_info(selector))

    infos = _work_on(folder_uri, list_infos, is_look=True)
    if not infos and is_remote(folder_uri):
        s3.check_bucket(folder_uri)
    return sorted(info.base_name for info in infos)


def delete_folder(uri: str) -> None:
    """Delete a folder and everything in it, if it exists.

    A store deletes in several requests. If the answer to one is lost, the next attempt
    may find part of it gone and report that, with the rest still there.
    """
    for _ in range(MAX_DELETIONS):
        if not is_folder(uri):
            return
        with suppress(FileNotFoundError):
            _work_on(uri, lambda filesystem, path: filesystem.delete_dir(path))


def delete_file(uri: str) -> None:
    """Delete a file, if it exists."""
    with suppress(FileNotFoundError):
        _work_on(uri, lambda filesystem, path: filesystem.delete_file(path))


def copy_file(source_uri: str, target_uri: str) -> None:
    """Copy a file, whole or not at all; within an object store its bytes stay there.

    Raises:
        OSError: a local file cannot be read.
        StoreAccessError: an object store refuses one of them.
        StorageError: it does not answer; or as ``write_bytes`` does.
    """
    source, target = absolute_uri(source_uri), absolute_uri(target_uri)
    if is_remote(source) and is_remote(target):
        path = source.partition("://")[2]
        s3.ask(target, lambda store, target_path: store.copy_file(path, target_path))
    else:
        write_bytes(target, read_bytes(source))


def copy_folder(source_uri: str, target_uri: str) -> None:
    """Copy everything in one folder into another, between any two stores."""
    source_fs, source_path = filesystem_and_path(source_uri)
    target_fs, target_path = filesystem_and_path(target_uri)
    make_folder(absolute_uri(target_uri))
    fs.copy_files(
        source_path,
        target_path,
        source_filesystem=source_fs,
        destination_filesystem=target_fs,
    )


def open_stream(uri: str, unpack: bool = True) -> pa.NativeFile:
    """Open a file to be read from start to end; unpack it if its name ends in .gz."""
    filesystem, path = filesystem_and_path(uri)
    compression = "gzip" if unpack and uri.lower().endswith(".gz") else None
    return filesystem.open_input_stream(path, compression=compression)
