"""The files that a pattern matches, and those below a folder.

Lists names only; it opens nothing.
"""

import posixpath
import re
from collections.abc import Iterator

from fsspec.implementations.arrow import ArrowFSWrapper
from pyarrow import fs

from galaxy_models import storage
from galaxy_models.errors import InputError
from galaxy_models.storage.output_names import find_outputs

PATTERN_CHARACTERS = "*?[{"
HIDDEN = re.compile(r"(?:^|(?<=/))[_.]")  # where a name of a path begins
BRACES = re.compile(r"\{(?:(\d+)\.\.(\d+)|([^{}]*,[^{}]*))\}")


def is_pattern(uri: str) -> bool:
    """Whether a URI is a pattern: contains ``*``, ``?``, ``[…]`` or ``{…}``."""
    return any(character in uri for character in PATTERN_CHARACTERS)


def pattern_folder(pattern: str) -> str:
    """The innermost folder that contains all files of a pattern."""
    folder = storage.parent(pattern)
    while is_pattern(folder):
        folder = storage.parent(folder)
    return folder


def expand_pattern(pattern: str) -> list[str]:
    """Find the files that a pattern matches, sorted.

    ``{000..009}`` counts with as many digits as its start has, ``{a,b}`` lists; the
    rest (``*``, ``?``, ``[…]``, ``**``) are fsspec's globs, without hidden files
    (``_…``, ``.…``).

    Raises:
        InputError: a name that braces spell out is not there.
        OSError: the store did not answer, or refused.
    """
    found: set[str] = set()
    for name in _expand_braces(storage.absolute_uri(pattern)):
        if is_pattern(name):
            filesystem, path = storage.filesystem_and_path(name)
            scheme = name[: len(name) - len(path)]
            folder = pattern_folder(path)
            for found_path in ArrowFSWrapper(filesystem).glob(path):
                if not _is_hidden(posixpath.relpath(found_path, folder)):
                    found.add(scheme + found_path)
        elif storage.is_file(name):
            found.add(name)
        else:
            raise InputError(
                f"no file {name}, which {pattern} spells out; check the numbers."
            )
    return sorted(found)


def _expand_braces(pattern: str) -> list[str]:
    match = BRACES.search(pattern)
    if match is None:
        return [pattern]
    start, end, choices = match.groups()
    names = choices.split(",") if choices else _counted(start, end)
    head, tail = pattern[: match.start()], pattern[match.end() :]
    return [whole for name in names for whole in _expand_braces(head + name + tail)]


def _counted(start: str, end: str) -> list[str]:
    return [f"{number:0{len(start)}d}" for number in range(int(start), int(end) + 1)]


def walk_files(folder_uri: str, passed_by: list[str] | None = None) -> Iterator[str]:
    """Find every file below a folder, except hidden ones (``_…``, ``.…``).

    Folders below it that jobs wrote are passed by: what a job makes of a catalog may
    lie among the catalog's files without becoming a part of it. The folder itself may
    be one. The content of each direct subfolder is listed at once and kept in memory:
    about 0.3 kB a file.

    Args:
        folder_uri: the folder; it need not exist.
        passed_by: a list to which the outputs of jobs are added.

    Yields:
        Paths relative to the folder, sorted within each of its folders.
    """
    filesystem, base = storage.filesystem_and_path(folder_uri)
    start = len(base.rstrip("/")) + 1  # of what is relative in a path
    selector = fs.FileSelector(base, allow_not_found=True)
    for info in sorted(filesystem.get_file_info(selector), key=lambda info: info.path):
        if HIDDEN.match(info.base_name):
            continue
        if info.is_file:
            yield info.path[start:]
        elif info.type == fs.FileType.Directory:
            selector = fs.FileSelector(info.path, recursive=True)
            below = filesystem.get_file_info(selector)
            files = [one.path[start:] for one in below if one.is_file]
            outputs = find_outputs(files)
            if passed_by is not None:
                passed_by.extend(outputs)
            inside = tuple(f"{output}/" for output in outputs)
            yield from sorted(
                path
                for path in files
                if not path.startswith(inside) and not _is_hidden(path)
            )


def _is_hidden(path: str) -> bool:
    return HIDDEN.search(path) is not None
