"""What a scoring run did: ``_run.json``, written last, from the rows that are there.

The counts come from the Parquet files, not from what workers said they did.
"""

import dataclasses
import json
from collections import Counter
from dataclasses import dataclass

from galaxy_models import storage
from galaxy_models.catalog import Catalog
from galaxy_models.errors import CatalogError, ScoringError
from galaxy_models.object_ids import fingerprint_ids
from galaxy_models.tables import open_parquet_folder

RUN_RECORD_NAME = "_run.json"  # a leading underscore: Parquet readers pass it by


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
    num_failed: int
    classes: dict[str, int]
    """Galaxies a predicted class, the most common first."""

    seconds: float
    """From a running Ray to the last written row, the actors' start included (s)."""

    versions: dict[str, str]


def count_predictions(output: str, catalog: Catalog) -> tuple[int, Counter[str]]:
    """Count the written rows, and prove that they are the catalog's.

    Returns:
        Number of failed rows, and of the others by predicted class.

    Raises:
        ScoringError: rows are missing, or there more than once.
    """
    classes: Counter[str] = Counter()
    try:
        predictions = open_parquet_folder(output)
        for batch in predictions.read_batches(["predicted_class"]):
            classes.update(batch.column("predicted_class").to_pylist())
        fingerprint, num_rows = fingerprint_ids(predictions, "object_id")
    except CatalogError as error:  # no fault of the user's: ids twice, say
        raise ScoringError(f"{error} Score again with --overwrite.") from error
    if (fingerprint, num_rows) != (catalog.fingerprint, catalog.num_rows):
        raise ScoringError(
            f"{output} holds {num_rows} rows for the {catalog.num_rows} of "
            f"{catalog.uri}, or other ids; score again with --overwrite."
        )
    return classes.pop(None, 0), classes  # type: ignore[call-overload]


def write_run_record(output: str, record: RunRecord) -> None:
    """Write ``_run.json``; from then on the predictions are complete."""
    text = json.dumps(dataclasses.asdict(record), indent=2, ensure_ascii=False)
    storage.write_bytes(storage.join(output, RUN_RECORD_NAME), text.encode() + b"\n")
