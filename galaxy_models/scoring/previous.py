"""Predictions of an earlier scoring that are carried over: checked, but not read.

Only what the same model predicts in the same way can stand in one table with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa

from galaxy_models import storage
from galaxy_models.chunks.run_file import ENGINE_KEY
from galaxy_models.config import EngineName, ScoreConfig
from galaxy_models.config.score import CPU_ENGINES
from galaxy_models.errors import PredictionsError
from galaxy_models.scoring.dated_choice import DatedChoice
from galaxy_models.scoring.run_file import RunRecord, read_run_record
from galaxy_models.storage.output_folder import UNFINISHED_NAME, changes
from galaxy_models.tables.formats import open_parquet_folder
from galaxy_models.tables.formats.numbered_rows import NumberedRows, number_rows
from galaxy_models.tables.prediction_schema import kept_field

MUST_AGREE = (
    "the model's hash", "the model's temperature", "--keep", "--tta",
    "the embedding's hash", "--fits-bands", "--fits-stretch", "--fits-q",
)  # fmt: skip
REMEDY = "or score all rows without --previous"


@dataclass(frozen=True)
class Previous:
    """Predictions that a scoring of the same model and flags finished."""

    uri: str
    rows: NumberedRows
    engine: EngineName
    """What predicted them, and predicts the rest."""

    images_read_since_s: float | None
    """As in their record."""


@dataclass(frozen=True)
class CarriedOver:
    """What stands in the output beside the rows that are predicted."""

    num_files: int
    num_rows: int
    num_removed: int
    """Rows that the catalog no longer has, kept or dropped."""

    fingerprint: str
    """Hash of the set of ids that the finished output has."""

    num_rows_in_all: int
    """Rows that the finished output has."""

    images_read_since_s: float | None
    """When the images of these rows were read, or found unchanged, at the earliest."""

    choice: DatedChoice | None = None
    """What is predicted, where the dates of images had a say in it."""


def open_previous(
    config: ScoreConfig, schema: pa.Schema, key: Mapping[str, Any]
) -> Previous:
    """Check that predictions can be carried over.

    Args:
        config: what was asked for, with ``--previous``.
        schema: of the predictions that are to be made.
        key: what must agree, as in the resume key of those; the engine may be missing.

    Raises:
        PredictionsError: they were made by another model, or with other flags, have
            other columns, or are not finished or not whole.
        CatalogError: they cannot be read.
    """
    uri = storage.absolute_uri(str(config.previous))
    if not storage.are_apart(uri, config.output):
        raise PredictionsError(
            f"--previous {uri} and --output {config.output} are one folder, or one "
            "lies in the other; name a new folder with --output."
        )
    if storage.is_file(storage.join(uri, UNFINISHED_NAME)):
        raise PredictionsError(
            f"--previous {uri} is not finished: run its own command again first, "
            f"{REMEDY}."
        )
    record = read_run_record(uri)
    if record is None:
        raise PredictionsError(
            f"--previous {uri} holds no _run.json of jobs.score; name the folder of a "
            f"finished scoring, {REMEDY}."
        )
    _check_same_model(uri, record, config, key)
    if "changed" in config.retry and record.images_read_since_s is None:
        raise PredictionsError(
            f"--previous {uri} does not say when its images were read, so --retry "
            f"changed cannot find those written since; leave the word out, {REMEDY}."
        )
    table = open_parquet_folder(uri)
    _check_columns(uri, table.schema, schema)
    rows = number_rows(table)
    if rows.num_rows != record.num_rows:
        raise PredictionsError(
            f"--previous {uri} holds {rows.num_rows} of the {record.num_rows} rows "
            f"that were written there; restore its files, {REMEDY}."
        )
    engine = cast(EngineName, record.engine)
    return Previous(uri, rows, engine, record.images_read_since_s)


def _check_same_model(
    uri: str, record: RunRecord, config: ScoreConfig, key: Mapping[str, Any]
) -> None:
    names = [*MUST_AGREE, *([ENGINE_KEY] if ENGINE_KEY in key else [])]
    before = {name: record.resume_key.get(name) for name in names}
    changed = changes(before, {name: key[name] for name in names})
    if changed:
        raise PredictionsError(
            f"--previous {uri} was made with another model or other flags: "
            f"{'; '.join(changed)}; ask for the same, {REMEDY}."
        )
    is_for_cpus = record.engine in CPU_ENGINES
    for flag, clashes in (
        ("--device gpu", config.device == "gpu" and is_for_cpus),
        ("--plan local", config.plan == "local" and not is_for_cpus),
    ):
        if clashes:
            raise PredictionsError(
                f"--previous {uri} was predicted by {record.engine}, which {flag} does "
                f"not allow; leave that flag out, {REMEDY}."
            )


def _check_columns(uri: str, previous: pa.Schema, schema: pa.Schema) -> None:
    # Earlier versions kept a column with the catalog's very type.
    there = {field.name: kept_field(field).type for field in previous}
    asked = {field.name: field.type for field in schema}
    differences = [
        f"{name} is {there.get(name, 'missing')} there and "
        f"{asked.get(name, 'missing')} now"
        for name in {**there, **asked}
        if there.get(name) != asked.get(name)
    ]
    if differences:
        raise PredictionsError(
            f"--previous {uri} has other columns than this catalog and model give: "
            f"{'; '.join(differences)}; give the catalog's columns the types of then, "
            f"{REMEDY}."
        )
