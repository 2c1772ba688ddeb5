"""A published table of votes -> a labelled catalog, a batch at a time.

Galaxies whose votes are not clear are left out.
"""

import string
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.config import VotesConfig
from galaxy_models.config.votes import SurveyName
from galaxy_models.errors import CatalogError, ConfigError, OutputError
from galaxy_models.storage import s3_settings
from galaxy_models.tables.formats import Table, open_table
from galaxy_models.tables.vote_tables.clean_sample import (
    AMBIGUOUS,
    UNCERTAIN,
    clean_classes,
)
from galaxy_models.tables.vote_tables.surveys import SURVEYS, Survey

DEGREES_PER_HOUR = 15.0


@dataclass
class Conversion:
    """What came out."""

    survey: SurveyName
    num_rows: int = 0
    """Galaxies of the table of votes."""

    classes: Counter[str] = field(default_factory=Counter)
    """Galaxies by label."""

    num_uncertain: int = 0
    """Left out: no class reaches its thresholds."""

    num_ambiguous: int = 0
    """Left out: several do."""


@dataclass(frozen=True)
class VoteColumns:
    """The columns of a table that are read, by what they are."""

    object_id: str
    fractions: Mapping[str, str]
    num_votes: Mapping[str, tuple[str, ...]]
    position: Mapping[str, str]
    in_image: tuple[str, ...]
    """Columns that paths of images are made of."""

    @property
    def names(self) -> list[str]:
        """All of them."""
        summands = (name for names in self.num_votes.values() for name in names)
        names = (*self.fractions.values(), *summands, *self.position.values())
        return list(dict.fromkeys([self.object_id, *names, *self.in_image]))


def convert_votes(config: VotesConfig) -> Conversion:
    """Label the galaxies of a table of votes, by the flags of ``jobs.votes``.

    Raises:
        InputError: the table is no known one, or the output exists.
        StorageError: the catalog cannot be written.
    """
    with s3_settings.endpoint(config.s3_endpoint_url):
        output = storage.absolute_uri(config.output)
        if storage.is_file(output) and not config.overwrite:
            raise OutputError(
                f"--output {output} exists; name a new file, or replace it with "
                "--overwrite."
            )
        table = open_table(storage.absolute_uri(config.votes), "--votes")
        name = config.survey if config.survey != "auto" else find_survey(table)
        survey, conversion = SURVEYS[name], Conversion(name)
        pattern = survey.image if config.image == "auto" else config.image
        columns = find_columns(table, name, config.id_column, pattern)
        if table.types_are_guessed:
            table = table.with_text(columns.object_id)
        with _written(output) as path:
            batches = table.read_batches(columns.names)
            rows = (
                _catalog_rows(batch, survey, columns, pattern, config, conversion)
                for batch in batches
            )
            _write(rows, path)
            if not conversion.classes:
                raise CatalogError(
                    f"no galaxy of {conversion.num_rows} in {table.uri} reaches the "
                    "thresholds of a class; lower them, or --min-votes."
                )
    return conversion


def find_survey(table: Table) -> SurveyName:
    """Find whose columns a table has.

    Raises:
        CatalogError: nobody's.
    """
    names = {name.lower() for name in table.schema.names}
    found = [
        name
        for name, survey in SURVEYS.items()
        if all(not names.isdisjoint(columns) for columns in survey.answers.values())
    ]
    # DECaLS and DESI ask the same questions; their ids differ.
    own = [name for name in found if SURVEYS[name].id_columns[0] in names] or found
    if not own:
        raise CatalogError(
            f"{table.uri} has not the columns of {', '.join(SURVEYS)}; name the survey "
            "with --survey to see which are missing."
        )
    return own[0]


def find_columns(
    table: Table, name: SurveyName, id_column: str, pattern: str
) -> VoteColumns:
    """Find the columns of a survey, whatever the case of their letters.

    Raises:
        CatalogError: one is missing.
        ConfigError: ``--image`` names a column that is not there, or is no pattern.
    """
    survey, there = SURVEYS[name], {one.lower(): one for one in table.schema.names}

    def first(names: tuple[str, ...]) -> str:
        found: str | None = next((there[one] for one in names if one in there), None)
        if found is None:
            raise CatalogError(
                f"{table.uri} has no column {' or '.join(names)}, as tables of {name} "
                f"have; it has {', '.join(table.schema.names)}."
            )
        return found

    ids = survey.id_columns if id_column == "auto" else (id_column.lower(),)
    return VoteColumns(
        object_id=first(ids),
        fractions={answer: first(names) for answer, names in survey.answers.items()},
        num_votes={
            answer: tuple(there[one] for one in names)
            for answer, names in survey.num_votes.items()
            if there.keys() >= set(names)
        },
        position={one: there[one] for one in ("ra", "dec") if there.keys() >= {one}},
        in_image=_columns_in(pattern, table),
    )


def _columns_in(pattern: str, table: Table) -> tuple[str, ...]:
    """Find the columns that a pattern of image paths names."""
    try:
        fields = [part[1] for part in string.Formatter().parse(pattern)]
        names = [name for name in fields if name not in (None, "object_id")]
        pattern.format_map(dict.fromkeys([*names, "object_id"], ""))
    except (ValueError, KeyError, AttributeError, IndexError) as error:
        raise ConfigError(
            f"--image {pattern}: {error}; write columns in braces, such as "
            "'{object_id}.jpg'."
        ) from error
    missing = [name for name in names if name not in table.schema.names]
    if missing or not fields or all(name is None for name in fields):
        raise ConfigError(
            f"--image {pattern}: {table.uri} has no column {', '.join(missing)!r}; "
            f"name object_id or one of {', '.join(table.schema.names)} in braces."
        )
    return tuple(map(str, names))


def _catalog_rows(
    batch: pa.RecordBatch,
    survey: Survey,
    columns: VoteColumns,
    pattern: str,
    config: VotesConfig,
    conversion: Conversion,
) -> pa.Table:
    """Label a batch; give the rows of the catalog, and count them all."""
    fractions = {
        answer: _numbers(batch[name]) for answer, name in columns.fractions.items()
    }
    num_votes = {
        answer: np.sum([_numbers(batch[name]) for name in names], axis=0)
        for answer, names in columns.num_votes.items()
    }
    found = clean_classes(survey, fractions, num_votes, config)
    labels = np.asarray([*survey.classes], object)[found[found >= 0]]
    conversion.num_rows += len(batch)
    conversion.num_uncertain += int((found == UNCERTAIN).sum())
    conversion.num_ambiguous += int((found == AMBIGUOUS).sum())
    conversion.classes.update(labels.tolist())
    rows = batch.filter(pa.array(found >= 0))
    ids = rows[columns.object_id]
    values = rows.select(columns.in_image).to_pylist() or [{}] * len(rows)
    images = [
        pattern.format_map({**value, "object_id": str(one)})
        for value, one in zip(values, ids.to_pylist(), strict=True)
    ]
    position = {
        name: _degrees(rows[column], DEGREES_PER_HOUR if name == "ra" else 1.0)
        for name, column in columns.position.items()
    }
    return pa.table(
        {
            "object_id": ids,
            "image": pa.array(images, pa.string()),
            "label": pa.array(labels, pa.string()),
            **position,
        }
    )


def _numbers(values: pa.Array) -> NDArray[np.float64]:
    """Give float64 values; NaN where null."""
    numbers = pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)
    return np.asarray(numbers, np.float64)


def _degrees(values: pa.Array, per_unit: float) -> NDArray[np.float64]:
    """Give a coordinate in degrees.

    Args:
        values: degrees, or texts such as ``-10:22:25.7``, as Galaxy Zoo 1 has them.
        per_unit: degrees of a unit of these texts' first part.
    """
    if pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
        return _numbers(values)
    texts = pc.utf8_trim_whitespace(values.cast(pa.string()))
    parts = pc.split_pattern(texts, ":")
    whole, minutes, seconds = (
        _numbers(pc.list_element(parts, place)) for place in range(3)
    )
    sign = np.where(pc.starts_with(texts, "-").to_numpy(zero_copy_only=False), -1, 1)
    return sign * (np.abs(whole) + minutes / 60 + seconds / 3600) * per_unit


@contextmanager
def _written(output: str) -> Iterator[Path]:
    """Give a temporary file that becomes the output when all is written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / output.rpartition("/")[2]
        yield path
        try:
            storage.copy_folder(folder, storage.parent(output))
        except OSError as error:
            raise storage.unwritable(output, error) from error


def _write(tables: Iterator[pa.Table], path: Path) -> None:
    """Write rows as CSV or Parquet, as the name says."""
    first = next(tables, pa.table({}))
    if path.suffix.lower() == ".parquet":
        writer = pq.ParquetWriter(path, first.schema)
    else:
        options = pa_csv.WriteOptions(quoting_style="needed")
        writer = pa_csv.CSVWriter(path, first.schema, write_options=options)
    with writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table.cast(first.schema))
