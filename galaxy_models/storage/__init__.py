"""Local disks and object stores, file name patterns, output folders.

    files.py          any URI -> filesystem and bytes
    s3.py             S3: access, errors and retries
    s3_settings.py    which store, and whose keys: what the environment says
    s3_objects.py     whole objects of S3, a request each
    glob.py           the files that a pattern matches
    output_names.py   by which files a job's output folder is known
    output_folder.py  a job's output folder: checked, begun, resumed, finished
    output_lease.py   one job at a time in an output folder

The functions of ``files`` are called as the package's: ``storage.read_bytes(uri)``. It
knows neither catalogs nor images nor models.
"""

from galaxy_models.storage.files import (
    REMOTE_SCHEMES,
    UNFINISHED_NAME,
    absolute_uri,
    are_apart,
    copy_file,
    copy_folder,
    delete_file,
    delete_folder,
    filesystem_and_path,
    holds_password,
    is_file,
    is_folder,
    is_remote,
    join,
    list_names,
    make_folder,
    modified_s,
    open_stream,
    parent,
    read_bytes,
    resolved,
    unwritable,
    write_bytes,
)

__all__ = [
    "REMOTE_SCHEMES",
    "UNFINISHED_NAME",
    "absolute_uri",
    "are_apart",
    "copy_file",
    "copy_folder",
    "delete_file",
    "delete_folder",
    "filesystem_and_path",
    "holds_password",
    "is_file",
    "is_folder",
    "is_remote",
    "join",
    "list_names",
    "make_folder",
    "modified_s",
    "open_stream",
    "parent",
    "read_bytes",
    "resolved",
    "unwritable",
    "write_bytes",
]
