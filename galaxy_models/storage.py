"""Any URI -> filesystem and bytes; the only module that knows S3.

A URI is a local path (absolute or relative), ``file://…`` or ``s3://bucket/key``.
S3 credentials and endpoint come from the environment (``AWS_ACCESS_KEY_ID``,
``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, ``AWS_ENDPOINT_URL``), so that no secret
is ever pickled. This module knows nothing of catalogs, images or models.
"""

import errno
import posixpath
from functools import lru_cache
from pathlib import Path

from pyarrow import fs

from galaxy_models.errors import InputError, OutputError

REMOTE_SCHEMES = ("s3",)
STAGING_NAME = "_staged_catalog"  # a job's own copy of a catalog that is not Parquet
UNFINISHED_NAME = "_unfinished"  # stands in an output folder while its job runs


def absolute_uri(uri: str) -> str:
    """Make a URI independent of the working directory.

    Returns:
        An absolute local path, or the remote URI without a closing slash.

    Raises:
        InputError: the scheme is neither ``file`` nor ``s3``.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator:
        return str(Path(uri).expanduser().absolute())
    if scheme == "file":
        return str(Path(rest).absolute())
    if scheme in REMOTE_SCHEMES:
        return uri.rstrip("/")
    raise InputError(
        f"cannot open {uri!r}: unknown scheme {scheme!r}; use a local path or s3://."
    )


def is_remote(uri: str) -> bool:
    """Whether a URI lies in an object store, seen alike by every machine."""
    return uri.partition("://")[0] in REMOTE_SCHEMES


def join(folder_uri: str, path: str) -> str:
    """Resolve a path against a folder; absolute paths and URIs stand for themselves."""
    if "://" in path:
        return path
    return posixpath.join(folder_uri, path)


def parent(uri: str) -> str:
    """Name the folder that holds a file or folder."""
    return posixpath.dirname(uri)


def filesystem_and_path(uri: str) -> tuple[fs.FileSystem, str]:
    """Open the filesystem of a URI.

    Returns:
        A pyarrow filesystem, and the path by which it knows the URI.

    Raises:
        InputError: the scheme is unknown.
    """
    uri = absolute_uri(uri)
    if not is_remote(uri):
        return _local_filesystem(), uri
    bucket_uri = "/".join(uri.split("/")[:3])
    return _remote_filesystem(bucket_uri), uri.partition("://")[2]


@lru_cache(maxsize=1)
def _local_filesystem() -> fs.FileSystem:
    return fs.LocalFileSystem()


@lru_cache(maxsize=16)
def _remote_filesystem(bucket_uri: str) -> fs.FileSystem:
    # The bare S3FileSystem() ignores AWS_ENDPOINT_URL; from_uri honours it.
    return fs.FileSystem.from_uri(bucket_uri)[0]


def read_bytes(uri: str, max_bytes: int | None = None) -> bytes:
    """Read a whole file.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: the store did not answer, or refused; or, with ``errno.EFBIG``, the
            file is larger than ``max_bytes``, and nothing was read.
    """
    filesystem, path = filesystem_and_path(uri)
    with filesystem.open_input_file(path) as stream:
        if max_bytes is not None and (size := stream.size()) > max_bytes:
            raise OSError(errno.EFBIG, f"{size} bytes, over {max_bytes}")
        return bytes(stream.read())


def write_bytes(uri: str, data: bytes) -> None:
    """Write a whole file, making its folder where there are folders."""
    filesystem, path = filesystem_and_path(uri)
    make_folder(parent(absolute_uri(uri)))
    with filesystem.open_output_stream(path) as stream:
        stream.write(data)


def make_folder(uri: str) -> None:
    """Make a local folder; object stores have none, so there it does nothing.

    (A 0-byte directory key on S3 breaks pandas' reading of a data set.)
    """
    if not is_remote(uri):
        Path(uri).mkdir(parents=True, exist_ok=True)


def is_file(uri: str) -> bool:
    """Whether a file stands at the URI."""
    return bool(_file_type(uri) == fs.FileType.File)


def is_folder(uri: str) -> bool:
    """Whether a folder (or a key prefix that is in use) stands at the URI."""
    return bool(_file_type(uri) == fs.FileType.Directory)


def _file_type(uri: str) -> fs.FileType:
    filesystem, path = filesystem_and_path(uri)
    return filesystem.get_file_info(path).type


def list_names(folder_uri: str) -> list[str]:
    """Names of what lies directly in a folder, sorted; empty if there is none."""
    filesystem, path = filesystem_and_path(folder_uri)
    selector = fs.FileSelector(path, allow_not_found=True)
    return sorted(info.base_name for info in filesystem.get_file_info(selector))


def delete_folder(uri: str) -> None:
    """Delete a folder and everything in it, if it exists."""
    if is_folder(uri):
        filesystem, path = filesystem_and_path(uri)
        filesystem.delete_dir(path)


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


def check_output(uri: str, marker: str, overwrite: bool) -> str:
    """Whether a folder may take a job's results; changes nothing.

    Args:
        uri: the folder; it need not exist.
        marker: name of a file that only this kind of job writes.
        overwrite: whether results that such a job left there may be replaced.

    Returns:
        The folder's absolute URI.

    Raises:
        OutputError: the URI is a file, or holds something that must not be lost.
    """
    uri = absolute_uri(uri)
    for path in (uri, *([] if is_remote(uri) else map(str, Path(uri).parents))):
        if is_file(path):
            raise OutputError(f"--output {path} is a file; name a folder.")
    names = [name for name in list_names(uri) if name != STAGING_NAME]
    is_unfinished = UNFINISHED_NAME in names
    if names and marker not in names and not is_unfinished:
        raise OutputError(
            f"--output {uri} holds something else ({', '.join(names[:5])}); "
            "name a new or empty folder."
        )
    if names and not overwrite:
        state = "unfinished" if is_unfinished else "earlier"
        raise OutputError(
            f"--output {uri} holds {state} results; name a new folder, or replace "
            "them with --overwrite."
        )
    return uri


def begin_output(uri: str) -> None:
    """Empty a checked output folder, but for a staged catalog, and mark it as begun."""
    filesystem, path = filesystem_and_path(uri)
    selector = fs.FileSelector(path, allow_not_found=True)
    for info in filesystem.get_file_info(selector):
        if info.type == fs.FileType.File:
            filesystem.delete_file(info.path)
        elif info.base_name != STAGING_NAME:
            filesystem.delete_dir(info.path)
    write_bytes(join(uri, UNFINISHED_NAME), b"")


def finish_output(uri: str) -> None:
    """Take a job's scaffolding out of its output folder."""
    delete_folder(join(uri, STAGING_NAME))
    filesystem, path = filesystem_and_path(join(uri, UNFINISHED_NAME))
    filesystem.delete_file(path)
