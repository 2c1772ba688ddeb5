"""What a scoring run did: ``_run.json``, written last, from the rows that are there.

The last of the wing's three states. The counts come from the Parquet files, not from
what workers reported.
"""

import tempfile
from dataclasses import replace

from galaxy_models import storage
from galaxy_models.chunks.chunk_result import seconds_by_stage
from galaxy_models.chunks.driver import WorkDone
from galaxy_models.chunks.row_counts import CLASS_COLUMN, RowCounts
from galaxy_models.chunks.run_file import (
    check_num_rows,
    check_same_request,
    write_run_file,
)
from galaxy_models.config import ScoreConfig
from galaxy_models.errors import CatalogError, ScoringError
from galaxy_models.models.card import library_versions
from galaxy_models.scoring.plan import Plan
from galaxy_models.scoring.previous import CarriedOver
from galaxy_models.scoring.request import (
    OUTPUT,
    PLAUSIBLE_KEY,
    POSTERIOR_KEY,
    Request,
    open_request,
    resumes,
)
from galaxy_models.scoring.run_file import RunRecord, read_run_record
from galaxy_models.storage import output_folder
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.formats import open_parquet_folder
from galaxy_models.tables.object_ids import IdSet

COUNTED_COLUMNS = ("object_id", "error", CLASS_COLUMN)


def count_predictions(
    output: str, catalog: Catalog, carried: CarriedOver | None = None
) -> RowCounts:
    """Count the written rows, and prove that they are the catalog's.

    Args:
        output: folder of the predictions.
        catalog: whose rows were scored.
        carried: what was carried over: it may bring rows that the catalog has not.

    Raises:
        ScoringError: rows are missing, or there more than once.
    """
    counts = RowCounts()
    try:
        predictions = open_parquet_folder(output)
        ids = IdSet(predictions, "object_id")
        there = [name for name in COUNTED_COLUMNS if name in predictions.schema.names]
        for batch in predictions.read_batches(there):
            ids.add(batch.column("object_id"))
            counts.add(
                batch.column("error").to_pylist(),
                batch.column(CLASS_COLUMN).to_pylist() if CLASS_COLUMN in there else (),
            )
        fingerprint, num_rows = ids.fingerprint()
    except CatalogError as error:  # no fault of the user's: ids twice, say
        raise ScoringError(f"{error} Score again with --overwrite.") from error
    expected = catalog.fingerprint, catalog.num_rows
    if carried is not None:
        expected = carried.fingerprint, carried.num_rows_in_all
    if (fingerprint, num_rows) != expected:
        raise ScoringError(
            f"{output} holds {num_rows} rows for the {expected[1]} of "
            f"{catalog.uri}, or other ids; score again with --overwrite."
        )
    return counts


def finished_record(config: ScoreConfig) -> RunRecord | None:
    """Whether the same command has done its work already; writes nothing.

    Returns:
        What that run did; None if the predictions are still to be made.

    Raises:
        OutputError: the output holds the predictions of another scoring.
        InputError: model or catalog cannot serve.
    """
    output = storage.absolute_uri(config.output)
    if not resumes(config) or output_folder.read_marker(output, OUTPUT):
        return None  # lost after its record, perhaps, but before its scaffolding
    record = read_run_record(output)
    if record is None:
        return None
    positions = _check_same_request(config, record, output)
    check_num_rows(output, record.num_rows, "score")
    return replace(record, positions=positions)


def _check_same_request(
    config: ScoreConfig, record: RunRecord, output: str
) -> list[str] | None:
    """Refuse to take the predictions of another request for this one's.

    Returns:
        The columns of positions, if this one asks for them.
    """
    engine = None if config.engine == "auto" else config.engine
    with tempfile.TemporaryDirectory() as staging:
        request = open_request(config, staging)
        asked = request.resume_key(engine, record.format_version)
    optional = (POSTERIOR_KEY, PLAUSIBLE_KEY)
    check_same_request(output, record.resume_key, asked, "scoring", optional)
    return _positions(request)


def record_run(plan: Plan, done: WorkDone, seconds: float) -> RunRecord:
    """Write ``_run.json``; from then on the predictions are complete.

    Args:
        plan: what was to be done.
        done: what this run did of it.
        seconds: how long it took (s).

    Raises:
        ScoringError: rows are missing, or there more than once.
    """
    request, output = plan.request, plan.ledger.output
    engine, catalog = plan.stages.engine, request.catalog
    carried = request.carried
    counts = count_predictions(output, catalog, carried)
    record = RunRecord(
        catalog=catalog.uri,
        catalog_fingerprint=catalog.fingerprint,
        model=request.model,
        model_hash=request.card.model_hash,
        temperature=request.card.temperature,
        engine=engine,
        engine_trials=dict(plan.engine_trials),
        tta=request.config.tta,
        num_rows=counts.num_rows,
        num_failed=counts.num_failed,
        statuses=dict(counts.statuses),
        failure_reasons=dict(counts.failure_reasons.most_common()),
        classes=dict(counts.classes.most_common()),
        num_rows_this_run=done.num_rows,
        seconds_this_run=round(seconds, 1),
        rows_per_s_this_run=round(done.num_rows / seconds, 1),
        num_workers_this_run=plan.stages.num_actors,
        stage_seconds_this_run=seconds_by_stage(
            done.seconds, plan.stages.num_actors, seconds
        ),
        versions=library_versions(),
        previous=request.previous.uri if request.previous else None,
        num_rows_carried_over=carried.num_rows if carried else 0,
        num_rows_removed=carried.num_removed if carried else 0,
        images_read_since_s=_images_read_since_s(output, carried),
        positions=_positions(request),
        resume_key=request.resume_key(engine),
    )
    write_run_file(output, record)
    return record


def _positions(request: Request) -> list[str] | None:
    positions = request.catalog.positions
    return None if positions is None else list(positions)


def _images_read_since_s(output: str, carried: CarriedOver | None) -> float | None:
    """When the first of all images was read: once the output was marked as begun."""
    marker = storage.join(output, output_folder.UNFINISHED_NAME)
    times = [storage.modified_s(marker)]
    if carried is not None:
        times.append(carried.images_read_since_s)
    known = [time_s for time_s in times if time_s is not None]
    return min(known) if len(known) == len(times) else None
