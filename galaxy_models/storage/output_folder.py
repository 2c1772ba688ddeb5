"""The folder that a job writes: refused, begun, gone on with, finished.

A file in it says that its job has not finished, and what decides that job's results;
only a job with the same may go on. This module knows neither models nor predictions.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from galaxy_models import storage
from galaxy_models.errors import OutputError

STAGING_NAME = "_staged_catalog"  # a job's own copy of a catalog that is not Parquet
UNFINISHED_NAME = storage.UNFINISHED_NAME  # stands in the folder while its job runs


def check_output(uri: str, marker: str, overwrite: bool, resume: bool = False) -> str:
    """Whether a folder may take a job's results; changes nothing.

    Args:
        uri: the folder; it need not exist.
        marker: name of a file that only this kind of job writes.
        overwrite: whether results that such a job left there may be replaced.
        resume: whether a job that did not finish may go on.

    Returns:
        The folder's absolute URI.

    Raises:
        OutputError: the URI is a file, or holds something that must not be lost.
    """
    uri = storage.absolute_uri(uri)
    for path in (uri, *([] if storage.is_remote(uri) else map(str, Path(uri).parents))):
        if storage.is_file(path):
            raise OutputError(f"--output {path} is a file; name a folder.")
    names = [name for name in storage.list_names(uri) if name != STAGING_NAME]
    is_unfinished = UNFINISHED_NAME in names
    if names and marker not in names and not is_unfinished:
        raise OutputError(
            f"--output {uri} holds something else ({', '.join(names[:5])}); "
            "name a new or empty folder."
        )
    if names and not overwrite and not (is_unfinished and resume):
        state = "unfinished" if is_unfinished else "earlier"
        raise OutputError(
            f"--output {uri} holds {state} results; name a new folder, or replace "
            "them with --overwrite."
        )
    return uri


def begin_output(uri: str, record: Mapping[str, Any], resume: bool = False) -> bool:
    """Mark a checked output folder as begun, and empty it unless its job goes on.

    A staged catalog stays.

    Args:
        uri: the folder.
        record: what decides the results: flat, of plain values. It is kept while the
            job runs; only a job with an equal one may go on.
        resume: whether a job that did not finish may go on.

    Returns:
        Whether a job goes on that did not finish.

    Raises:
        OutputError: the job that did not finish was another one; what differs.
    """
    if resume and storage.is_file(storage.join(uri, UNFINISHED_NAME)):
        _check_same_record(unfinished_record(uri), record, uri)
        return True
    for name in storage.list_names(uri):
        if name != STAGING_NAME:
            storage.delete_folder(storage.join(uri, name))
            storage.delete_file(storage.join(uri, name))
    storage.write_bytes(
        storage.join(uri, UNFINISHED_NAME), json.dumps(record, indent=2).encode()
    )
    return False


def unfinished_record(uri: str) -> Mapping[str, Any]:
    """What a job that did not finish wrote when it began; empty if there is none."""
    marker_uri = storage.join(uri, UNFINISHED_NAME)
    return (
        dict(json.loads(storage.read_bytes(marker_uri)))
        if storage.is_file(marker_uri)
        else {}
    )


def changes(before: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    """Say how a job's record differs from one that was read from a file."""
    now = json.loads(json.dumps(record))  # tuples become lists, as they did in the file
    return [
        f"{name} was {before.get(name)}, now {now.get(name)}"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]


def _check_same_record(
    begun: Mapping[str, Any], record: Mapping[str, Any], uri: str
) -> None:
    changed = changes(begun, record)
    if changed:
        raise OutputError(
            f"--output {uri} holds unfinished results of another job: "
            f"{'; '.join(changed)}. Ask for the same again, name a new folder, or "
            "begin anew with --overwrite."
        )


def finish_output(uri: str) -> None:
    """Take a job's scaffolding out of its output folder."""
    storage.delete_folder(storage.join(uri, STAGING_NAME))
    for name in storage.list_names(uri):
        if name.startswith(UNFINISHED_NAME):  # the marker, and what nobody finished
            storage.delete_file(storage.join(uri, name))
