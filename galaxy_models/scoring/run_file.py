"""``_run.json``: what a finished scoring says of itself, and how it is read.

Knows the file and its versions; it does not know how a scoring is done.
"""

from dataclasses import dataclass, field
from typing import Any

from galaxy_models import storage
from galaxy_models.chunks.run_file import (
    ENGINE_KEY,
    RUN_RECORD_NAME,
    VERSION_KEY,
    check_format_version,
    read_run_file,
)

# Of _run.json and of resume keys; files without a number are of version 1, which hashed
# a catalog as the installed pyarrow writes its footer, and made files of whole chunks.
FORMAT_VERSION = 2


@dataclass(frozen=True)
class RunRecord:
    """A finished run."""

    catalog: str
    catalog_fingerprint: str
    model: str
    model_hash: str
    temperature: float
    """What the model's logits were divided by."""

    engine: str
    """What predicted; probabilities of litert-int8 differ a little from keras'."""

    tta: str
    """Which views of each galaxy were averaged."""

    num_rows: int
    """Rows of the predictions; the catalog's, and those that ``--removed-rows keep``
    kept."""

    num_failed: int
    statuses: dict[str, int]
    """Rows a status, ``ok`` and ``failed``; they sum up to ``num_rows``."""

    failure_reasons: dict[str, int]
    """Failed rows a ``FailureReason``, the most common first."""

    classes: dict[str, int]
    """Galaxies a predicted class, the most common first."""

    num_rows_this_run: int
    """Rows that this run scored: all, unless it resumed one that was lost, or carried
    earlier predictions over."""

    seconds_this_run: float
    """From the plan to the last written row, the actors' start included (s)."""

    rows_per_s_this_run: float
    """``num_rows_this_run`` over ``seconds_this_run`` (1/s)."""

    versions: dict[str, str] = field(repr=False)  # long, for people in a notebook

    num_workers_this_run: int = 0
    """Actors, or threads, that predicted; of runs of earlier versions 0."""

    stage_seconds_this_run: dict[str, float] = field(default_factory=dict)
    """What a worker's ``seconds_this_run`` went to, the mean of all: reading, decoding,
    predicting, writing, and waiting, which is to be started, too (s). Workers that are
    fed by decoding tasks neither read nor decode."""

    engine_trials: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    """What was measured before ``engine`` was chosen: of each one images/s of a core,
    its agreement with the trained network (0 to 1), and why it cannot be used, if so.
    Empty where nothing was measured."""

    resume_key: dict[str, Any] = field(default_factory=dict, repr=False)
    """Inputs that determine the output; the same command finds them unchanged."""

    previous: str | None = None
    """Earlier predictions whose rows were carried over."""

    num_rows_carried_over: int = 0
    num_rows_removed: int = 0
    """Rows of ``previous`` that the catalog no longer has, kept or dropped."""

    images_read_since_s: float | None = None
    """All images were read after this time, or not written after it as far as dates
    tell (s since 1970); null if an earlier version read some."""

    positions: list[str] | None = None
    """Kept columns of right ascension and declination, if ``--hats`` asked for them."""

    format_version: int = FORMAT_VERSION


def read_run_record(output: str) -> RunRecord | None:
    """Read ``_run.json``; None if there is none, or no scoring wrote it.

    Raises:
        OutputError: a newer version of this package wrote it.
    """
    content = read_run_file(output)
    if content is None:
        return None
    version = content.setdefault(VERSION_KEY, 1)
    uri = storage.join(output, RUN_RECORD_NAME)
    check_format_version(version, FORMAT_VERSION, uri)
    if version == 1:
        decisive = content.pop("decisive", {})
        content["resume_key"] = {**decisive, ENGINE_KEY: content.get("engine")}
    try:
        return RunRecord(**content)
    except TypeError:
        return None
