"""The folder that a job writes: checked, marked as begun, resumed, finished.

While a job runs, a marker file in its folder names the job and the inputs that
determine its output; only a job with the same inputs resumes. This module knows neither
models nor predictions.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from galaxy_models import storage
from galaxy_models.errors import GalaxyBatchError, OutputError
from galaxy_models.storage import output_lease
from galaxy_models.storage.output_names import MODEL_NAMES, RESULTS_NAMES

STAGING_NAME = "_staged_catalog"  # a job's own copy of a catalog that is not Parquet
UNFINISHED_NAME = storage.UNFINISHED_NAME  # the marker; stands there while its job runs
FORMAT_VERSION = 2  # of the marker; 1 had none, named no job, and was the flat key
MAX_MARKER_BYTES = 16 * 2**20  # a list of labels may be long
MAX_SHOWN = 60  # characters of a file that is no marker
MAX_NAMED = 5  # files that a message names


@dataclass(frozen=True)
class OutputKind:
    """The kind of job that a folder belongs to."""

    job: str
    """The module that is run, such as ``jobs.score``."""

    results_name: str
    """A file that only this kind of job writes, when its results are complete."""

    names: tuple[str, ...] = ()
    """Names, or patterns of names, of all else that it leaves in the folder, finished
    or not; nothing else is ever deleted there."""

    version_1_keys: frozenset[str] | None = None
    """Keys that every marker of this job had in format version 1; None: it had none."""

    flag: str = "--output"
    """What named the folder, for messages."""

    foreign_key: str = ""
    """A field of the results file that only another kind's file of that name has."""

    def __post_init__(self) -> None:
        """Refuse a name by which nobody would know the folder for a job's output.

        Raises:
            ValueError: ``output_names`` does not list it.
        """
        if self.results_name not in RESULTS_NAMES | MODEL_NAMES:
            raise ValueError(f"{self.results_name} is not in output_names.")

    def writes(self, name: str) -> bool:
        """Whether a file or folder directly in the output may be this job's."""
        patterns = (self.results_name, *self.names)
        return any(fnmatchcase(name, pattern) for pattern in patterns)


@dataclass(frozen=True)
class Marker:
    """What an unfinished job says of itself."""

    resume_key: Mapping[str, Any]
    """Inputs that determine the output; empty until the folder is emptied."""

    is_emptied: bool
    """Whether nothing of earlier results is left in the folder."""


@contextmanager
def held_output(
    uri: str, kind: OutputKind, overwrite: bool, resume: bool
) -> Iterator[str]:
    """Check an output folder, and keep other jobs out while the block runs.

    A job that fails before it began leaves no staged catalog: nothing resumes from it.

    Args:
        uri: the folder; it need not exist.
        kind: the job that asks.
        overwrite: whether results that such a job left there may be replaced.
        resume: whether an unfinished job may be resumed.

    Yields:
        The folder's absolute URI.

    Raises:
        OutputError: see ``check_output``; or another job works there.
        StorageError: nothing can be written there.
    """
    uri = check_output(uri, kind, overwrite, resume)
    with output_lease.hold(uri):
        # Another job may have finished there while this one waited.
        uri = check_output(uri, kind, overwrite, resume)
        try:
            yield uri
        except BaseException:  # Ctrl-C, too: a survey's copy takes minutes
            _delete_unused_staging(uri)
            raise


def _delete_unused_staging(uri: str) -> None:
    """Delete the staged catalog of a job that ends before it began."""
    with suppress(GalaxyBatchError, OSError):  # why the job ends counts more
        if not storage.is_file(storage.join(uri, UNFINISHED_NAME)):
            storage.delete_folder(storage.join(uri, STAGING_NAME))


def check_output(
    uri: str, kind: OutputKind, overwrite: bool, resume: bool = False
) -> str:
    """Whether a folder may take a job's results; changes nothing.

    Args:
        uri: the folder; it need not exist.
        kind: the job that asks.
        overwrite: whether results that such a job left there may be replaced.
        resume: whether an unfinished job may be resumed.

    Returns:
        The folder's absolute URI.

    Raises:
        OutputError: the URI is a file, or holds something that must not be lost.
    """
    uri = storage.absolute_uri(uri)
    for path in (uri, *([] if storage.is_remote(uri) else map(str, Path(uri).parents))):
        if storage.is_file(path):
            raise OutputError(f"{kind.flag} {path} is a file; name a folder.")
    _check_whose(uri, kind)
    is_unfinished = read_marker(uri, kind) is not None
    names = [name for name in storage.list_names(uri) if not _is_scaffolding(name)]
    if names and kind.results_name not in names and not is_unfinished:
        raise OutputError(
            f"{kind.flag} {uri} holds something else ({', '.join(names[:MAX_NAMED])}); "
            "name a new or empty folder."
        )
    if (names or is_unfinished) and not overwrite and not (is_unfinished and resume):
        state = "unfinished" if is_unfinished else "earlier"
        raise OutputError(
            f"{kind.flag} {uri} holds {state} results; name a new folder, or replace "
            "them with --overwrite."
        )
    if overwrite:
        _check_all_own(uri, kind, names)
    return uri


def _check_all_own(uri: str, kind: OutputKind, names: list[str]) -> None:
    """Refuse to replace results that somebody else's files lie among.

    Names that begin with a dot are left alone: systems make such files unasked.
    """
    others = [name for name in names if not (kind.writes(name) or name[0] == ".")]
    if others:
        more = ", …" if len(others) > MAX_NAMED else ""
        raise OutputError(
            f"{kind.flag} {uri} holds more than results of {kind.job}: "
            f"{', '.join(others[:MAX_NAMED])}{more}; move that away, or name another "
            "folder."
        )


def _check_whose(uri: str, kind: OutputKind) -> None:
    """Refuse results of another kind of job, whose file has the same name."""
    results_uri = storage.join(uri, kind.results_name)
    if not kind.foreign_key or not storage.is_file(results_uri):
        return
    try:
        content = json.loads(storage.read_bytes(results_uri))
    except ValueError:  # damaged: nobody's
        return
    if isinstance(content, dict) and kind.foreign_key in content:
        raise OutputError(
            f"{kind.flag} {uri} holds results of another job than {kind.job}; name a "
            "new or empty folder."
        )


def begin_output(
    uri: str, kind: OutputKind, resume_key: Mapping[str, Any], resume: bool = False
) -> bool:
    """Mark a checked output folder as begun; unless its job is resumed, empty it.

    The marker is written before anything is deleted: a job that dies in between leaves
    a folder that the next one may empty. A staged catalog stays, and what is not of
    this kind of job.

    Args:
        uri: the folder.
        kind: the job that begins.
        resume_key: inputs that determine the output: flat, of plain values. Only a job
            with an equal key resumes this one.
        resume: whether an unfinished job may be resumed.

    Returns:
        Whether an unfinished job is resumed.

    Raises:
        OutputError: the unfinished job had another key; what differs.
    """
    marker = read_marker(uri, kind)
    if resume and marker is not None and marker.is_emptied:
        _check_same_key(marker.resume_key, resume_key, uri, kind.flag)
        return True
    there = [name for name in storage.list_names(uri) if not _is_scaffolding(name)]
    earlier = [name for name in there if kind.writes(name)]
    if earlier:
        _write_marker(uri, kind, None)
    for name in earlier:
        storage.delete_folder(storage.join(uri, name))
        storage.delete_file(storage.join(uri, name))
    _write_marker(uri, kind, resume_key)
    return False


def write_results(
    uri: str, kind: OutputKind, contents: Mapping[str, bytes], asked: Mapping[str, Any]
) -> None:
    """Write everything that a job has to say into a checked folder.

    Args:
        uri: the folder.
        kind: the job.
        contents: files by name.
        asked: the job's flags, which its results file holds; it comes last.

    Raises:
        StorageError: a disk is full or cannot be written; or as for any store.
    """
    begin_output(uri, kind, asked)
    for name, data in {**contents, kind.results_name: json_bytes(asked)}.items():
        storage.write_bytes(storage.join(uri, name), data)
    finish_output(uri)


def json_bytes(record: Mapping[str, Any]) -> bytes:
    """Write JSON that people can read, too."""
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode(errors="replace") + b"\n"


def _is_scaffolding(name: str) -> bool:
    """Whether a name is a staged catalog's, the marker's, or of a half-written file."""
    return name == STAGING_NAME or name.startswith(UNFINISHED_NAME)


def _write_marker(
    uri: str, kind: OutputKind, resume_key: Mapping[str, Any] | None
) -> None:
    """Write the marker; without a key while the folder is being emptied."""
    content = {
        "format_version": FORMAT_VERSION,
        "job": kind.job,
        "resume_key": resume_key,
    }
    data = json.dumps(content, indent=2).encode()
    storage.write_bytes(storage.join(uri, UNFINISHED_NAME), data)


def read_marker(uri: str, kind: OutputKind) -> Marker | None:
    """Read what an unfinished job wrote when it began; None if there is none.

    Raises:
        OutputError: another kind of job wrote the marker, or nobody's job did.
    """
    marker_uri = storage.join(uri, UNFINISHED_NAME)
    if not storage.is_file(marker_uri):
        return None
    try:
        text = storage.read_bytes(marker_uri, MAX_MARKER_BYTES).decode()
        return _parse_marker(text, kind)
    except FileNotFoundError:  # its job ended meanwhile
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise OutputError(
            f"{kind.flag} {uri} holds a file {UNFINISHED_NAME} that {kind.job} did not "
            f"write ({error}); name a new folder, or empty this one yourself."
        ) from error


def _parse_marker(text: str, kind: OutputKind) -> Marker:
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise ValueError(f"it is no JSON object: {text[:MAX_SHOWN]!r}")
    if "format_version" not in content:
        expected = kind.version_1_keys
        if expected is None or not expected <= content.keys():
            raise ValueError(f"its keys are {', '.join(content)[:MAX_SHOWN]!r}")
        return Marker(content, is_emptied=True)
    if content["format_version"] != FORMAT_VERSION:
        raise ValueError(f"its format_version is {content['format_version']!r}")
    if content.get("job") != kind.job:
        raise ValueError(f"its job is {content.get('job')!r}")
    key = content.get("resume_key")
    return Marker(dict(key or {}), is_emptied=key is not None)


def changes(before: Mapping[str, Any], resume_key: Mapping[str, Any]) -> list[str]:
    """Say how a job's resume key differs from one that was read from a file."""
    now = json.loads(json.dumps(resume_key))  # tuples become lists, as in the file
    return [
        f"{name} was {before.get(name)}, now {now.get(name)}"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]


def _check_same_key(
    begun: Mapping[str, Any], resume_key: Mapping[str, Any], uri: str, flag: str
) -> None:
    changed = changes(begun, resume_key)
    if changed:
        raise OutputError(
            f"{flag} {uri} holds unfinished results of another job: "
            f"{'; '.join(changed)}. Ask for the same again, name a new folder, or "
            "begin anew with --overwrite."
        )


def finish_output(uri: str) -> None:
    """Take a job's scaffolding out of its output folder."""
    storage.delete_folder(storage.join(uri, STAGING_NAME))
    for name in storage.list_names(uri):
        # The marker, and half-written files; who holds the folder still does.
        if name.startswith(UNFINISHED_NAME) and name != output_lease.LEASE_NAME:
            storage.delete_file(storage.join(uri, name))
