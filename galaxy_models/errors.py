"""Every error that this project raises on purpose.

    GalaxyBatchError
    ├── InputError               the user can fix it; jobs exit with 2
    │   ├── ConfigError          a flag's value
    │   ├── CatalogError         the table of galaxies
    │   ├── PredictionsError     the table that scoring wrote
    │   ├── ModelFolderError     the trained model
    │   ├── OutputError          the output folder
    │   ├── ResourceError        CPUs, GPUs, the cluster
    │   └── StoreAccessError     an object store refuses access
    │       └── UnreachableStoreError  it never answered
    ├── JobError                 the work itself failed; jobs exit with 1
    │   ├── TrainingError
    │   ├── ScoringError
    │   ├── DetectionError
    │   └── StorageError         a store stopped answering, a disk is full: run it again
    └── ImageDecodeError         one image; becomes a failed row, never an exit

A message names the value, where it came from, and the remedy.
"""

import re
from typing import Literal, TypeVar

FailureReason = Literal[
    "missing", "refused", "unreadable", "not_an_image", "truncated", "too_large",
    "crowded",
]  # fmt: skip
FAILURE_REASONS: dict[FailureReason, str] = {
    "missing": "there is no such file, or the catalog names none",
    "refused": "the path leads out of `--image-root`, or its scheme is not supported",
    "unreadable": "the file cannot be read, is not a regular file (a pipe, a device), "
    "or its pixels are damaged or of a type without a known white level",
    "not_an_image": "empty, or something else: a web page, a table, a format that is "
    "not supported",
    "truncated": "the file ends before its image does",
    "too_large": "over 64 million pixels, or 256 million bytes, compressed or not; or "
    "built to take very long to decode",
    "crowded": "`jobs.detect` only: light in all of a tile, no sky between sources",
}
"""What each reason means, for people; ``jobs/README.md`` lists them."""

CREDENTIALS = re.compile(r"://[^\s/]*(:\S*)?@")  # a secret key may hold slashes
MAX_DETAIL_LENGTH = 500  # characters; a path or a library may bring any number


class GalaxyBatchError(Exception):
    """The root of the tree above."""


class InputError(GalaxyBatchError):
    """Something that the user can fix before work begins."""


class ConfigError(InputError):
    """A flag has an invalid value."""


class CatalogError(InputError):
    """The catalog cannot be read or breaks its contract."""


class PredictionsError(InputError):
    """The table holds no predictions, or those of other galaxies or classes."""


class ModelFolderError(InputError):
    """The model folder is incomplete or inconsistent."""


class OutputError(InputError):
    """The output folder cannot take the results."""


class ResourceError(InputError):
    """The machine or cluster lacks the CPUs or GPUs asked for."""


class StoreAccessError(InputError):
    """An object store refuses access."""


class UnreachableStoreError(StoreAccessError):
    """An object store never answered."""


class JobError(GalaxyBatchError):
    """The work began and failed."""


class TrainingError(JobError):
    """Training ended without a usable model."""


class ScoringError(JobError):
    """Scoring ended without all rows."""


class DetectionError(JobError):
    """Detection ended without all tiles."""


class StorageError(JobError):
    """A store stopped answering, or is full; the same command may succeed later."""


class ImageDecodeError(GalaxyBatchError):
    """One image cannot be decoded.

    Args:
        reason: one word of the closed vocabulary ``FailureReason``.
        detail: what was seen, for people. It may hold a stranger's bytes: whatever is
            not printable is escaped, and more than one can read is cut off.
    """

    def __init__(self, reason: FailureReason, detail: str) -> None:
        self.reason = reason
        self.detail = _on_one_line(without_password(detail))
        super().__init__(f"{reason}: {self.detail}")

    def __reduce__(self) -> tuple[type, tuple[FailureReason, str]]:
        return type(self), (self.reason, self.detail)


def failure_reason(error: str) -> str:
    """Take the reason out of a failed row's error: ``reason: details``."""
    return error.partition(":")[0]


def without_password(text: str) -> str:
    """Remove user names and passwords from the URIs in a message."""
    return CREDENTIALS.sub("://…@", text)


Extracted = TypeVar("Extracted", bound=GalaxyBatchError)


def extract_error(trace: str, kind: type[Extracted]) -> Extracted | None:
    """Extract an error of this class from another process's traceback."""
    found = re.search(rf"{kind.__module__}\.{kind.__name__}: (.+)", trace)
    return kind(found[1]) if found else None


def _on_one_line(text: str) -> str:
    shown = text[: MAX_DETAIL_LENGTH + 1]
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in shown)
    if len(shown) > MAX_DETAIL_LENGTH:
        shown = shown[: MAX_DETAIL_LENGTH - 1] + "…"
    return shown
