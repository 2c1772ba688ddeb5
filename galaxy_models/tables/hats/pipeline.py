"""Predictions -> a HATS catalog, in the order in which its files are written.

The predictions' files are read twice: once for the positions, which settle the
partitions, and once to sort their rows, some at a time. Every file is written whole
under a name that only its content has, so that a job that begins again does what is
missing. Memory holds a few times ``rows_per_partition`` rows. Needs neither Ray nor a
network.
"""

import json
import logging
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.config import HatsConfig
from galaxy_models.errors import (
    CatalogError,
    OutputError,
    PredictionsError,
    StorageError,
)
from galaxy_models.storage import output_folder, s3_settings
from galaxy_models.tables.formats import ParquetTable
from galaxy_models.tables.formats.numbered_rows import (
    NumberedRows,
    RowReader,
    number_rows,
)
from galaxy_models.tables.hats import catalog_files
from galaxy_models.tables.hats.pixels import (
    INDEX_COLUMN,
    choose_partitions,
    count_rows,
    empty_histogram,
    healpix_index,
)
from galaxy_models.tables.hats.sorted_runs import SortedRuns
from galaxy_models.tables.positions import find_positions, read_positions
from galaxy_models.tables.predictions import open_predictions
from galaxy_models.tables.votable_metadata import votable_metadata

logger = logging.getLogger(__name__)

RUNS_NAME = "_runs"
RECORD_NAME = "_hats.json"  # what was asked for and done; no other job writes it
CONTENT_NAME = "predictions"  # the table's name in its description
OUTPUT = output_folder.OutputKind(
    job="jobs.hats",
    results_name=RECORD_NAME,
    names=(RUNS_NAME, *catalog_files.NAMES),
)
REPLACED = (INDEX_COLUMN, "Norder", "Dir", "Npix")  # another catalog's, if kept
OWN_KEYS = b"galaxy_batch."  # of the metadata that name the model


@dataclass(frozen=True)
class HatsRecord:
    """A finished catalog; also in ``_hats.json``."""

    predictions: str
    num_rows: int
    num_partitions: int
    resume_key: dict[str, Any]
    """Inputs that determine the output; the same command finds them unchanged."""


@dataclass(frozen=True)
class _Source:
    """Predictions that can become a catalog."""

    config: HatsConfig
    rows: NumberedRows
    positions: tuple[str, str]
    """Names of the columns of right ascension and declination."""

    @property
    def uri(self) -> str:
        return self.rows.table.uri

    @property
    def num_rows(self) -> int:
        return self.rows.num_rows

    @property
    def resume_key(self) -> dict[str, Any]:
        return {
            "the predictions' content": self.rows.content_hash,
            "--ra-column": self.positions[0],
            "--dec-column": self.positions[1],
            "--rows-per-partition": self.config.rows_per_partition,
        }

    @property
    def num_runs(self) -> int:
        return -(-self.num_rows // self.config.rows_per_partition)

    def rows_of(self, run: int) -> tuple[int, int]:
        """First row of a run, and the one after its last."""
        start = run * self.config.rows_per_partition
        return start, min(start + self.config.rows_per_partition, self.num_rows)

    def index(self, rows: pa.Table) -> NDArray[np.int64]:
        read = read_positions(
            rows, self.positions, "object_id", self.uri, PredictionsError
        )
        return healpix_index(*read)


def write_hats(
    config: HatsConfig, kind: output_folder.OutputKind = OUTPUT
) -> HatsRecord:
    """Write predictions anew as a HATS catalog, by the flags of ``jobs.hats``.

    Args:
        config: what was asked for.
        kind: with another ``flag`` if something else than ``--output`` named the
            folder.

    Returns:
        What was done; also in ``_hats.json`` in the catalog.

    Raises:
        InputError: predictions or output cannot serve; nothing was begun.
        StorageError: a disk or an object store failed; the same call resumes.
    """
    with s3_settings.endpoint(config.s3_endpoint_url):
        source = _open_source(config)
        record = _finished_record(source, kind)
        if record is not None:
            logger.info("%s is finished already: nothing to do", config.output)
            return record
        resume = not config.overwrite
        with output_folder.held_output(
            config.output, kind, config.overwrite, resume
        ) as output:
            histogram = _count(source)
            key = source.resume_key
            if output_folder.begin_output(output, kind, key, resume):
                logger.info("%s holds an unfinished catalog: it is resumed", output)
            return _write(source, histogram, output)


def _open_source(config: HatsConfig) -> _Source:
    """Check the predictions, but for their positions.

    Raises:
        InputError: they are none, unfinished, or without positions; or the output
            would lie among them.
    """
    predictions = open_predictions(config.predictions, "--predictions")
    if predictions.is_unfinished:
        raise PredictionsError(
            f"{predictions.uri} is not finished yet; run its jobs.score again first."
        )
    output = storage.absolute_uri(config.output)
    if f"{output}/".startswith(f"{predictions.uri}/"):
        raise OutputError(
            f"--output {output} lies in the predictions, whose readers would find "
            "every row twice; name a folder elsewhere."
        )
    positions = _position_columns(config, predictions.table)
    rows = number_rows(predictions.table)
    if not rows.num_rows:
        raise PredictionsError(
            f"{predictions.uri} has no rows; name other predictions."
        )
    return _Source(config, rows, positions)


def _position_columns(config: HatsConfig, table: ParquetTable) -> tuple[str, str]:
    asked = (config.ra_column, config.dec_column)
    try:
        return find_positions(table.schema, table.uri, table.stated_columns, asked)
    except CatalogError as error:
        raise PredictionsError(
            f"{error} Score with --keep ra dec, or name the columns with --ra-column "
            "and --dec-column."
        ) from error


def _finished_record(
    source: _Source, kind: output_folder.OutputKind
) -> HatsRecord | None:
    """Whether the same command has done its work already."""
    output = storage.absolute_uri(source.config.output)
    record_uri = storage.join(output, RECORD_NAME)
    if (
        source.config.overwrite
        or output_folder.read_marker(output, kind)
        or not storage.is_file(record_uri)
    ):
        return None
    try:
        record = HatsRecord(**json.loads(storage.read_bytes(record_uri)))
    except (ValueError, TypeError):  # not ours: refused later, as any other file
        return None
    changed = output_folder.changes(record.resume_key, source.resume_key)
    if changed:
        raise OutputError(
            f"{kind.flag} {output} holds another catalog: {'; '.join(changed)}; name a "
            "new folder, or replace it with --overwrite."
        )
    return record


def _count(source: _Source) -> NDArray[np.int64]:
    """Read all positions; count the galaxies in each pixel."""
    logger.info("counting %d galaxies on the sky", source.num_rows)
    histogram = empty_histogram()
    reader = RowReader(source.rows, ["object_id", *source.positions])
    for run in range(source.num_runs):
        count_rows(histogram, source.index(reader.read(*source.rows_of(run))))
    return histogram


def _write(source: _Source, histogram: NDArray[np.int64], output: str) -> HatsRecord:
    """Write what is missing of a catalog; its properties and the record last."""
    rows_per_partition, num_rows = source.config.rows_per_partition, source.num_rows
    partitions = choose_partitions(histogram, rows_per_partition)
    runs = SortedRuns(storage.join(output, RUNS_NAME), source.num_runs, partitions)
    _sort(source, runs)
    _write_partitions(source, runs, output)
    num_written = catalog_files.write_footers(output, partitions)
    if num_written != num_rows:
        raise StorageError(
            f"{output} holds {num_written} of the {num_rows} rows of {source.uri}; "
            "begin anew with --overwrite."
        )
    catalog_files.write_partition_list(output, partitions)
    catalog_files.write_skymap(output, histogram)
    catalog_files.write_properties(
        output, partitions, rows_per_partition, source.positions
    )
    record = HatsRecord(source.uri, num_rows, len(partitions), source.resume_key)
    text = json.dumps(asdict(record), indent=2, ensure_ascii=False)
    storage.write_bytes(storage.join(output, RECORD_NAME), text.encode() + b"\n")
    storage.delete_folder(runs.folder)
    output_folder.finish_output(output)
    logger.info("%s: %d rows in %d partitions", output, num_rows, len(partitions))
    return record


def _sort(source: _Source, runs: SortedRuns) -> None:
    """Write the runs that are missing."""
    missing = runs.missing()
    logger.info("sorting %d of %d runs", len(missing), runs.num_runs)
    names = [name for name in source.rows.table.schema.names if name not in REPLACED]
    reader = RowReader(source.rows, names)
    for run in missing:
        rows = reader.read(*source.rows_of(run))
        index = pa.array(source.index(rows))
        runs.write(run, rows.add_column(0, INDEX_COLUMN, index))


def _write_partitions(source: _Source, runs: SortedRuns, output: str) -> None:
    """Write the partitions that are missing."""
    logger.info("writing %d partitions", len(runs.partitions))
    about_model = _about_model(source.rows.table)
    for number, partition in enumerate(runs.partitions):
        if storage.is_file(catalog_files.partition_uri(output, partition)):
            continue
        rows = runs.read(number)
        described = {**about_model, **votable_metadata(rows, CONTENT_NAME)}
        rows = rows.replace_schema_metadata(described)
        catalog_files.write_partition(output, partition, rows)


def _about_model(table: ParquetTable) -> dict[bytes, bytes]:
    """What the predictions' files say of the model, which the catalog's say too."""
    filesystem, path = storage.filesystem_and_path(table.uris[0])
    known = pq.read_schema(path, filesystem=filesystem).metadata or {}
    return {key: value for key, value in known.items() if key.startswith(OWN_KEYS)}
