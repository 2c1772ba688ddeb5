"""What a scoring was asked for, checked: model, catalog, columns.

It also knows, without starting anything, whether the predictions are there already.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from galaxy_models import storage
from galaxy_models.cluster import shared_paths
from galaxy_models.config import ScoreConfig
from galaxy_models.errors import OutputError
from galaxy_models.models.card import ModelCard
from galaxy_models.models.folder import read_card, required_files
from galaxy_models.scoring.checks import check_columns, check_model
from galaxy_models.scoring.run_record import OUTPUT, RunRecord, read_run_record
from galaxy_models.storage import output_folder
from galaxy_models.tables.catalog import Catalog, open_catalog
from galaxy_models.tables.formats import open_parquet_folder
from galaxy_models.tables.formats.numbered_rows import NumberedRows, number_rows


@dataclass(frozen=True)
class Task:
    """A model that can score a catalog."""

    config: ScoreConfig
    card: ModelCard
    catalog: Catalog
    keep: tuple[str, ...]
    """The catalog's own names of the columns that ride along."""

    rows: NumberedRows

    def decisive(self) -> dict[str, Any]:
        """Name everything that decides the predictions, but for the engine."""
        catalog, card = self.catalog, self.card
        return {
            "the catalog's content": self.rows.content_hash,
            "the set of ids": catalog.fingerprint,
            "its number of rows": catalog.num_rows,
            "--id-column": catalog.id_column,
            "--image-column": catalog.image_column,
            "--image-root": catalog.image_root,
            "--allow-image-prefix": list(catalog.allowed_prefixes),
            "--keep": list(self.keep),
            "the model's hash": card.model_hash,
            "the model's temperature": card.temperature,
            "--tta": self.config.tta,
            "--rows-per-file": self.config.rows_per_file,
        }


def goes_on(config: ScoreConfig) -> bool:
    """Whether a scoring like this one is to be gone on with at the output."""
    return config.resume == "auto" and not config.overwrite


def open_task(config: ScoreConfig, staging_uri: str) -> Task:
    """Check model and catalog.

    Args:
        config: what was asked for.
        staging_uri: folder for a copy of a catalog that is not Parquet.

    Raises:
        InputError: one of them cannot serve.
    """
    card = read_card(config.model)
    shared_paths.check_inputs("--model", required_files(config.model, card))
    check_model(config, card)
    catalog = open_catalog(
        config,
        staging_uri,
        config.keep,
        for_ray=False,
        check_files=shared_paths.check_inputs,
    )
    keep = tuple(map(catalog.column, config.keep))
    check_columns(config, keep, catalog, card)
    return Task(config, card, catalog, keep, number_rows(catalog.table))


def finished_record(config: ScoreConfig) -> RunRecord | None:
    """Whether the same command has done its work already; writes nothing.

    Returns:
        What that run did; None if the predictions are still to be made.

    Raises:
        OutputError: the output holds the predictions of another scoring.
        InputError: model or catalog cannot serve.
    """
    output = storage.absolute_uri(config.output)
    if not goes_on(config) or output_folder.read_marker(output, OUTPUT):
        return None  # lost after its record, perhaps, but before its scaffolding
    record = read_run_record(output)
    if record is None:
        return None
    with tempfile.TemporaryDirectory() as staging:
        task = open_task(config, staging)
    asked: Mapping[str, Any] = task.decisive()
    if config.engine != "auto":
        asked = {**asked, "--engine": config.engine}
    done = {**record.decisive, "--engine": record.engine}
    changed = output_folder.changes({name: done.get(name) for name in asked}, asked)
    if changed:
        raise OutputError(
            f"--output {output} holds earlier results of another scoring: "
            f"{'; '.join(changed)}; name a new folder, or replace them with "
            "--overwrite."
        )
    num_rows = number_rows(open_parquet_folder(output)).num_rows
    if num_rows != record.num_rows:
        raise OutputError(
            f"--output {output} holds {num_rows} of the {record.num_rows} rows that "
            "were written there; name a new folder, or score again with --overwrite."
        )
    return record
