"""Where bytes lie: local disks and object stores, patterns of names, output folders.

    files.py          any URI -> filesystem and bytes
    s3.py             what an object store's errors mean, and when to try again
    glob.py           which files a pattern names
    output_folder.py  the folder that a job writes: begun, resumed, finished
    output_lease.py   one job at a time in such a folder

The functions of ``files`` are this room's own: ``storage.read_bytes(uri)``. It knows
neither catalogs nor images nor models.
"""

from galaxy_models.storage.files import (
    REMOTE_SCHEMES,
    UNFINISHED_NAME,
    absolute_uri,
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
    open_stream,
    parent,
    read_bytes,
    unwritable,
    write_bytes,
)

__all__ = [
    "REMOTE_SCHEMES",
    "UNFINISHED_NAME",
    "absolute_uri",
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
    "open_stream",
    "parent",
    "read_bytes",
    "unwritable",
    "write_bytes",
]
