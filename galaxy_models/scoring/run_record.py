"""What a scoring run did: ``_run.json``, written last, from the rows that are there.

The counts come from the Parquet files, not from what workers said they did.
"""

import dataclasses
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from galaxy_models import storage
from galaxy_models.errors import CatalogError, ScoringError
from galaxy_models.models.card import library_versions
from galaxy_models.scoring.predictor import PredictorPlan
from galaxy_models.storage.output_folder import OutputKind
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.formats import open_parquet_folder
from galaxy_models.tables.object_ids import IdSet
from galaxy_models.tables.prediction_schema import STATUS_FAILED, STATUS_OK

RUN_RECORD_NAME = "_run.json"  # a leading underscore: Parquet readers pass it by
OUTPUT = OutputKind(
    job="jobs.score",
    results_name=RUN_RECORD_NAME,
    version_1_keys=frozenset({"the model's hash"}),
)
COUNTED_COLUMNS = ("object_id", "predicted_class", "status", "error")


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
    """Rows of the predictions, and of the catalog."""

    num_failed: int
    statuses: dict[str, int]
    """Rows a status, ``ok`` and ``failed``; they sum up to ``num_rows``."""

    failure_reasons: dict[str, int]
    """Failed rows a ``FailureReason``, the most common first."""

    classes: dict[str, int]
    """Galaxies a predicted class, the most common first."""

    num_rows_this_run: int
    """Rows that this run scored: all, unless it went on from one that was lost."""

    seconds_this_run: float
    """From a running Ray to the last written row, the actors' start included (s)."""

    rows_per_s_this_run: float
    """``num_rows_this_run`` over ``seconds_this_run`` (1/s)."""

    versions: dict[str, str]

    decisive: dict[str, Any] = field(default_factory=dict)
    """What decided the predictions: the same command finds it unchanged."""


@dataclass
class Counts:
    """Rows of the predictions by what came out."""

    statuses: Counter[str] = field(
        default_factory=lambda: Counter({STATUS_OK: 0, STATUS_FAILED: 0})
    )
    failure_reasons: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)

    def add(self, rows: pa.RecordBatch) -> None:
        """Count further rows."""
        self.statuses.update(rows.column("status").to_pylist())
        errors = rows.column("error").drop_null().to_pylist()
        self.failure_reasons.update(error.partition(":")[0] for error in errors)
        self.classes.update(rows.column("predicted_class").drop_null().to_pylist())


def count_predictions(output: str, catalog: Catalog) -> Counts:
    """Count the written rows, and prove that they are the catalog's.

    Raises:
        ScoringError: rows are missing, or there more than once.
    """
    counts = Counts()
    try:
        predictions = open_parquet_folder(output)
        ids = IdSet(predictions, "object_id")
        for batch in predictions.read_batches(COUNTED_COLUMNS):
            ids.add(batch.column("object_id"))
            counts.add(batch)
        fingerprint, num_rows = ids.fingerprint()
    except CatalogError as error:  # no fault of the user's: ids twice, say
        raise ScoringError(f"{error} Score again with --overwrite.") from error
    if (fingerprint, num_rows) != (catalog.fingerprint, catalog.num_rows):
        raise ScoringError(
            f"{output} holds {num_rows} rows for the {catalog.num_rows} of "
            f"{catalog.uri}, or other ids; score again with --overwrite."
        )
    return counts


def read_run_record(output: str) -> RunRecord | None:
    """Read ``_run.json``; None if there is none, or another version wrote it."""
    uri = storage.join(output, RUN_RECORD_NAME)
    if not storage.is_file(uri):
        return None
    try:
        return RunRecord(**json.loads(storage.read_bytes(uri)))
    except (ValueError, TypeError):
        return None


def record_run(
    plan: PredictorPlan, decisive: dict[str, Any], num_rows: int, seconds: float
) -> RunRecord:
    """Write ``_run.json``; from then on the predictions are complete.

    Args:
        plan: what was done.
        decisive: what decided the predictions.
        num_rows: rows that this run scored.
        seconds: how long it took (s).

    Raises:
        ScoringError: rows are missing, or there more than once.
    """
    catalog, output = plan.catalog, plan.ledger.output
    counts = count_predictions(output, catalog)
    record = RunRecord(
        catalog=catalog.uri,
        catalog_fingerprint=catalog.fingerprint,
        model=plan.model,
        model_hash=plan.card.model_hash,
        temperature=plan.card.temperature,
        engine=plan.engine,
        tta=plan.tta,
        num_rows=catalog.num_rows,
        num_failed=counts.statuses[STATUS_FAILED],
        statuses=dict(counts.statuses),
        failure_reasons=dict(counts.failure_reasons.most_common()),
        classes=dict(counts.classes.most_common()),
        num_rows_this_run=num_rows,
        seconds_this_run=round(seconds, 1),
        rows_per_s_this_run=round(num_rows / seconds, 1),
        versions=library_versions(),
        decisive=decisive,
    )
    text = json.dumps(dataclasses.asdict(record), indent=2, ensure_ascii=False)
    storage.write_bytes(storage.join(output, RUN_RECORD_NAME), text.encode() + b"\n")
    return record
