"""What a detection run did: ``_run.json``, written last, from the rows that are there.

The last of the wing's three states. The counts come from the Parquet files, not from
what workers reported.
"""

import importlib.metadata
import tempfile
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from galaxy_models import storage
from galaxy_models.chunks.chunk_result import seconds_by_stage
from galaxy_models.chunks.driver import WorkDone
from galaxy_models.chunks.row_counts import RowCounts
from galaxy_models.chunks.run_file import (
    RUN_RECORD_NAME,
    VERSION_KEY,
    check_format_version,
    check_num_rows,
    check_same_request,
    read_run_file,
    write_run_file,
)
from galaxy_models.config import DetectConfig
from galaxy_models.detection.plan import Plan
from galaxy_models.detection.request import (
    FORMAT_VERSION,
    OUTPUT,
    open_request,
    resumes,
)
from galaxy_models.errors import CatalogError, DetectionError
from galaxy_models.models.card import library_versions
from galaxy_models.storage import output_folder
from galaxy_models.tables.formats import open_parquet_folder
from galaxy_models.tables.object_ids import IdSet
from galaxy_models.tables.prediction_schema import STATUS_OK

COUNTED_COLUMNS = (
    "object_id", "ra", "is_primary", "predicted_class", "status", "error",
)  # fmt: skip


@dataclass(frozen=True)
class RunRecord:
    """A finished run."""

    images: str
    """The table or folder of images."""

    images_fingerprint: str
    model: str
    model_hash: str
    temperature: float
    """What the model's logits were divided by."""

    engine: str
    """What predicted; probabilities of litert-int8 differ a little from keras'."""

    num_images: int
    num_tiles: int
    num_megapixels: float
    """Of all images whose size could be found out."""

    num_rows: int
    """Rows of the detections: sources, what these can be split into, failed tiles."""

    num_failed: int
    """Tiles that failed; each has a row."""

    num_sources: int
    """Sources that cover the images once."""

    num_without_position: int
    """Rows of sources without ra and dec: their images have no WCS that can be used."""

    statuses: dict[str, int]
    """Rows a status, ``ok`` and ``failed``; they sum up to ``num_rows``."""

    failure_reasons: dict[str, int]
    """Failed tiles a ``FailureReason``, the most common first."""

    classes: dict[str, int]
    """Rows a predicted class, the most common first."""

    num_tiles_this_run: int
    """Tiles that this run did: all, unless it resumed one that was lost."""

    seconds_this_run: float
    """From a running Ray to the last written row, the actors' start included (s)."""

    versions: dict[str, str]

    num_workers_this_run: int = 0
    """Actors, or threads; of runs of earlier versions 0."""

    stage_seconds_this_run: dict[str, float] = field(default_factory=dict)
    """What a worker's ``seconds_this_run`` went to, the mean of all: reading,
    extracting, measuring, predicting, writing, and waiting (s)."""

    resume_key: dict[str, Any] = field(default_factory=dict)
    """Inputs that determine the output; the same command finds them unchanged."""

    format_version: int = FORMAT_VERSION


@dataclass(frozen=True)
class SourceCounts:
    """What the files of detections hold."""

    rows: RowCounts
    num_sources: int
    num_without_position: int


def count_detections(output: str) -> SourceCounts:
    """Count the written rows, and prove that none is there twice.

    Raises:
        DetectionError: rows are there more than once, or cannot be read.
    """
    counts, num_sources, num_without_position = RowCounts(), 0, 0
    try:
        detections = open_parquet_folder(output)
        ids = IdSet(detections, "object_id")
        for batch in detections.read_batches(COUNTED_COLUMNS):
            ids.add(batch.column("object_id"))
            errors, classes = batch.column("error"), batch.column("predicted_class")
            counts.add(errors.to_pylist(), classes.to_pylist())
            is_ok = pc.equal(batch.column("status"), STATUS_OK)
            num_sources += _number(is_ok, batch.column("is_primary"))
            num_without_position += _number(is_ok, batch.column("ra").is_null())
        if counts.num_rows:
            ids.fingerprint()
    except CatalogError as error:  # no fault of the user's: ids twice, say
        raise DetectionError(f"{error} Detect again with --overwrite.") from error
    return SourceCounts(counts, num_sources, num_without_position)


def _number(*conditions: pa.Array) -> int:
    """Count the rows that fulfil two conditions."""
    return int(pc.sum(pc.and_(*conditions)).as_py() or 0)


def read_run_record(output: str) -> RunRecord | None:
    """Read ``_run.json``; None if there is none, or no detection wrote it.

    Raises:
        OutputError: a newer version of this package wrote it.
    """
    content = read_run_file(output)
    if content is None or "images_fingerprint" not in content:
        return None
    uri = storage.join(output, RUN_RECORD_NAME)
    check_format_version(content.get(VERSION_KEY), FORMAT_VERSION, uri)
    try:
        return RunRecord(**content)
    except TypeError:
        return None


def finished_record(config: DetectConfig) -> RunRecord | None:
    """Whether the same command has done its work already; writes nothing.

    Returns:
        What that run did; None if the detections are still to be made.

    Raises:
        OutputError: the output holds the detections of another run.
        InputError: model or images cannot serve.
    """
    output = storage.absolute_uri(config.output)
    if not resumes(config) or output_folder.read_marker(output, OUTPUT):
        return None  # lost after its record, perhaps, but before its scaffolding
    record = read_run_record(output)
    if record is None:
        return None
    _check_same_request(config, record, output)
    check_num_rows(output, record.num_rows, "detect")
    return record


def _check_same_request(config: DetectConfig, record: RunRecord, output: str) -> None:
    """Refuse to take the detections of another request for this one's."""
    engine = None if config.engine == "auto" else config.engine
    with tempfile.TemporaryDirectory() as staging:
        asked = open_request(config, staging).resume_key(engine)
    check_same_request(output, record.resume_key, asked, "detection")


def record_run(plan: Plan, done: WorkDone, seconds: float) -> RunRecord:
    """Write ``_run.json``; from then on the detections are complete.

    Args:
        plan: what was to be done.
        done: what this run did of it; a row is a tile.
        seconds: how long it took (s).

    Raises:
        DetectionError: files are missing, or rows there more than once.
    """
    request, ledger = plan.request, plan.ledger
    missing = set(range(ledger.num_files)) - ledger.finished_files()
    if missing:
        raise DetectionError(
            f"{ledger.output} lacks {len(missing)} of its {ledger.num_files} files; "
            "run the same command again."
        )
    counts = count_detections(ledger.output)
    record = RunRecord(
        images=request.catalog.uri,
        images_fingerprint=request.catalog.fingerprint,
        model=request.model,
        model_hash=request.card.model_hash,
        temperature=request.card.temperature,
        engine=plan.engine,
        num_images=request.catalog.num_rows,
        num_tiles=request.tiles.num_tiles,
        num_megapixels=round(request.tiles.num_pixels / 1e6, 3),
        num_rows=counts.rows.num_rows,
        num_failed=counts.rows.num_failed,
        num_sources=counts.num_sources,
        num_without_position=counts.num_without_position,
        statuses=dict(counts.rows.statuses),
        failure_reasons=dict(counts.rows.failure_reasons.most_common()),
        classes=dict(counts.rows.classes.most_common()),
        num_tiles_this_run=done.num_rows,
        seconds_this_run=round(seconds, 1),
        num_workers_this_run=plan.num_actors,
        stage_seconds_this_run=seconds_by_stage(done.seconds, plan.num_actors, seconds),
        versions={**library_versions(), "sep": importlib.metadata.version("sep")},
        resume_key=plan.request.resume_key(plan.engine),
    )
    write_run_file(ledger.output, record)
    return record
