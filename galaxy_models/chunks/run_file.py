"""``_run.json``: what a finished job says of itself, and whether its rows are there.

The same for every wing; what the file holds is the wing's.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from galaxy_models import storage
from galaxy_models.errors import OutputError
from galaxy_models.storage import output_folder
from galaxy_models.tables.formats import open_parquet_folder
from galaxy_models.tables.formats.numbered_rows import number_rows

RUN_RECORD_NAME = "_run.json"  # a leading underscore: Parquet readers pass it by
VERSION_KEY = "format_version"  # in the file, and in the marker of an unfinished output
ENGINE_KEY = "the engine"  # in resume keys


def read_run_file(output: str) -> dict[str, Any] | None:
    """Read what a job wrote; None if there is no such file, or it is no record."""
    uri = storage.join(output, RUN_RECORD_NAME)
    if not storage.is_file(uri):
        return None
    try:
        return dict(json.loads(storage.read_bytes(uri)))
    except (ValueError, TypeError):
        return None


def write_run_file(output: str, record: Any) -> None:
    """Write a dataclass with ``format_version``, which comes first."""
    content = {VERSION_KEY: record.format_version, **dataclasses.asdict(record)}
    text = json.dumps(content, indent=2, ensure_ascii=False)
    storage.write_bytes(storage.join(output, RUN_RECORD_NAME), text.encode() + b"\n")


def check_format_version(
    version: object, newest: int, uri: str, oldest: int = 1
) -> None:
    """Refuse what a version of this package wrote that is too new, or too old.

    Raises:
        OutputError: naming the file or folder at ``uri``.
    """
    if version not in range(oldest, newest + 1):
        readable = f"{oldest} to {newest}" if newest > oldest else str(newest)
        raise OutputError(
            f"{uri} is of format_version {version!r}; this version of galaxy-batch "
            f"reads {readable}. Install the version that wrote it, name a new folder, "
            "or start again with --overwrite."
        )


def check_same_request(
    output: str,
    done: Mapping[str, Any],
    asked: Mapping[str, Any],
    job: str,
    optional: Sequence[str] = (),
) -> None:
    """Refuse to take the results of another request for this one's.

    Args:
        output: their folder.
        done: resume key of what is there.
        asked: that of the request.
        job: what it is called: a scoring, a detection.
        optional: names that a resume key lacks where they are not asked for.

    Raises:
        OutputError: naming what differs.
    """
    known = {name: done.get(name) for name in (*asked, *optional)}
    changed = output_folder.changes(known, asked)
    if changed:
        raise OutputError(
            f"--output {output} holds earlier results of another {job}: "
            f"{'; '.join(changed)}; name a new folder, or replace them with "
            "--overwrite."
        )


def check_num_rows(output: str, expected: int, verb: str) -> None:
    """Refuse results of which files are gone.

    Raises:
        OutputError: naming both numbers of rows.
    """
    num_rows = number_rows(open_parquet_folder(output)).num_rows
    if num_rows != expected:
        raise OutputError(
            f"--output {output} holds {num_rows} of the {expected} rows that were "
            f"written there; name a new folder, or {verb} again with --overwrite."
        )
