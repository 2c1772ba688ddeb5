"""What a scoring was asked for, checked: model, catalog, columns.

The first of the wing's three states: a ``Request`` stands in a ``plan.Plan``, and what
came out of that is a ``run_file.RunRecord``. Nothing is started here.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from galaxy_models.chunks.ledger import OUTPUT_NAMES
from galaxy_models.chunks.run_file import ENGINE_KEY, RUN_RECORD_NAME
from galaxy_models.cluster import shared_paths
from galaxy_models.config import EngineName, ScoreConfig
from galaxy_models.config.decode_rule import FITS_FIELDS, DecodeRule
from galaxy_models.errors import CatalogError, ConfigError
from galaxy_models.models.card import ModelCard
from galaxy_models.models.folder import read_card, required_files
from galaxy_models.models.shipped import model_reference
from galaxy_models.scoring.answers import answer_fields
from galaxy_models.scoring.previous import CarriedOver, Previous, open_previous
from galaxy_models.scoring.run_file import (
    FORMAT_VERSION,
)
from galaxy_models.storage.output_folder import OutputKind
from galaxy_models.tables.catalog import Catalog, open_catalog
from galaxy_models.tables.formats.numbered_rows import (
    NumberedRows,
    number_rows,
    version_1_content_hash,
)
from galaxy_models.tables.prediction_schema import (
    SPREAD_COLUMN,
    probability_column,
    rows_schema,
)

logger = logging.getLogger(__name__)

PREVIOUS_KEY = "the files of --previous"
EMBEDDING_KEY = "the embedding's hash"
POSTERIOR_KEY, PLAUSIBLE_KEY = "--posterior", "--plausible-classes"  # only if asked for
OUTPUT = OutputKind(
    job="jobs.score",
    results_name=RUN_RECORD_NAME,
    names=OUTPUT_NAMES,
    version_1_keys=frozenset({"the model's hash"}),
    foreign_key="images_fingerprint",  # jobs.detect's
)


@dataclass(frozen=True)
class Request:
    """A model that can score a catalog."""

    config: ScoreConfig
    model: str
    """A ``model_reference``."""

    card: ModelCard
    """The model's, read once; actors load its files by it."""

    rule: DecodeRule
    """The model's, with the bands and the stretch of these images."""

    catalog: Catalog
    rows: NumberedRows
    """The catalog's rows that are predicted, by their number."""

    keep: tuple[str, ...]
    """The catalog's own names of the columns that ride along."""

    previous: Previous | None = None
    """Earlier predictions, rows of which are carried over."""

    carried: CarriedOver | None = None
    """What is carried over of them, once that is known."""

    @property
    def num_rows_in_all(self) -> int:
        """Rows that the finished output has."""
        return self.carried.num_rows_in_all if self.carried else self.rows.num_rows

    @property
    def columns(self) -> list[str]:
        """Columns of the catalog that are read."""
        return [self.catalog.id_column, self.catalog.image_column, *self.keep]

    @property
    def schema(self) -> pa.Schema:
        """The predictions' columns."""
        kept = [self.catalog.schema.field(name) for name in self.keep]
        return _schema(self.config, self.catalog, kept, self.card)

    def with_engine(self, name: EngineName) -> "Request":
        """Ask for an engine, unless one is asked for already."""
        if self.config.engine != "auto":
            return self
        return replace(self, config=replace(self.config, engine=name))

    def resume_key(
        self, engine: str | None = None, format_version: int = FORMAT_VERSION
    ) -> dict[str, Any]:
        """Name the inputs that determine the output; compared on resume.

        Args:
            engine: what predicts; left out of the key if None.
            format_version: of the key that it is compared with.
        """
        catalog, card = self.catalog, self.card
        key = {
            "the catalog's content": self._content_hash(format_version),
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
            **self._fits_key(),
            **self._columns_key(),
            "--rows-per-file": self.config.rows_per_file,
            **self._embedding_key(),
            **self._previous_key(),
        }
        return key if engine is None else {**key, ENGINE_KEY: engine}

    def _fits_key(self) -> dict[str, Any]:
        """Name what differs from training; None, as in older keys, where none does."""
        trained = self.card.decode_rule
        key: dict[str, Any] = {}
        for name in FITS_FIELDS:
            value = getattr(self.rule, name)
            differs = value != getattr(trained, name)
            key[f"--{name.replace('_', '-')}"] = value if differs else None
        return key

    def _columns_key(self) -> dict[str, Any]:
        """Columns that are asked for and that earlier versions did not have."""
        key: dict[str, Any] = {}
        if self.config.posterior:
            key[POSTERIOR_KEY] = True
        if self.config.plausible_classes:
            key[PLAUSIBLE_KEY] = self.card.plausible_probability
        return key

    def _embedding_key(self) -> dict[str, Any]:
        """Name what its columns depend on; None, as in older keys, without them."""
        config, embedding = self.config, self.card.embedding
        is_used = embedding is not None and (config.embedding or config.familiarity)
        return {
            "--embedding": config.embedding or None,
            "--familiarity": config.familiarity or None,
            EMBEDDING_KEY: embedding.file_hash if embedding and is_used else None,
        }

    def _previous_key(self) -> dict[str, Any]:
        if self.previous is None:
            return {PREVIOUS_KEY: None}
        return {
            PREVIOUS_KEY: self.previous.rows.content_hash,
            "--retry": sorted(self.config.retry),
            "--removed-rows": self.config.removed_rows,
        }

    def _content_hash(self, format_version: int) -> str:
        if format_version == 1:
            return version_1_content_hash(self.rows.table)
        return self.catalog.copied_rows_hash or self.rows.content_hash


def resumes(config: ScoreConfig) -> bool:
    """Whether a scoring like this one is resumed where the output holds it."""
    return config.resume == "auto" and not config.overwrite


def open_request(config: ScoreConfig, staging_uri: str) -> Request:
    """Check model, catalog and earlier predictions.

    Args:
        config: what was asked for.
        staging_uri: folder for a copy of a catalog that is not Parquet.

    Raises:
        InputError: one of them, or --previous, cannot serve.
    """
    card = read_card(config.model)
    check_files = None if config.plan == "local" else shared_paths.check_inputs
    if check_files is not None:
        check_files("--model", required_files(config.model, card))
    _check_model(config, card)
    rule = _decode_rule(config, card)
    catalog = open_catalog(
        config,
        staging_uri,
        config.keep,
        for_ray=False,
        check_files=check_files,
        probe=config.previous is None,  # else carry_over does it, with new rows
        with_positions=config.hats is not None,
        rule=rule,
    )
    named = (*map(catalog.column, config.keep), *(catalog.positions or ()))
    keep = tuple(dict.fromkeys(named))
    _check_columns(config, keep, catalog, card)
    request = Request(
        config=config,
        model=model_reference(config.model),
        card=card,
        rule=rule,
        catalog=catalog,
        rows=number_rows(catalog.table),
        keep=keep,
    )
    return request if config.previous is None else _with_previous(request)


def _with_previous(request: Request) -> Request:
    """Add earlier predictions; the engine that made them predicts the rest."""
    config, asked = request.config, request.config.engine
    key = request.resume_key(None if asked == "auto" else asked)
    previous = open_previous(config, request.schema, key)
    return replace(request.with_engine(previous.engine), previous=previous)


def _check_model(config: ScoreConfig, card: ModelCard) -> None:
    """Refuse what the model cannot do, whatever the catalog.

    Raises:
        ConfigError: --tta needs mirror images that training did not use, or a class
            has the name of the spread's column; or a column is asked of a model that
            has none.
    """
    _check_embedding(config, card)
    if config.tta != "none":
        _check_views(config, card)
    if config.posterior and card.head.kind != "votes":
        raise ConfigError(
            f"--posterior: the model {config.model} predicts {card.head.kind}, not "
            "votes; leave the flag out."
        )
    if config.plausible_classes and card.plausible_probability is None:
        raise ConfigError(
            f"--plausible-classes: the model {config.model} has no threshold for them; "
            "train a model of classes with this version, or leave the flag out."
        )


def _decode_rule(config: ScoreConfig, card: ModelCard) -> DecodeRule:
    """Show FITS images to the model as the flags say: their unit is their own."""
    trained = card.decode_rule
    rule = trained.with_fits(config.fits_bands, config.fits_stretch, config.fits_q)
    for name in FITS_FIELDS:
        asked, before = getattr(rule, name), getattr(trained, name)
        if asked != before:
            logger.info(
                "--%s %s: the card of the model says %s; right for FITS images of "
                "another unit or other bands, or if it learned from pictures",
                name.replace("_", "-"),
                _shown(asked),
                _shown(before),
            )
    return rule


def _check_embedding(config: ScoreConfig, card: ModelCard) -> None:
    if card.embedding is None and (config.embedding or config.familiarity):
        asked = f"embedding {config.embedding}" if config.embedding else "familiarity"
        raise ConfigError(
            f"--{asked}: the model {config.model} has no embedding; make a copy that "
            "has one with `python -m jobs.embed` and the galaxies that it learned from."
        )
    if card.embedding and config.embedding > card.embedding.num_components:
        raise ConfigError(
            f"--embedding {config.embedding}: the model {config.model} has "
            f"{card.embedding.num_components} components; ask for at most as many."
        )


def _check_views(config: ScoreConfig, card: ModelCard) -> None:
    if not (card.horizontal_flip or card.vertical_flip):  # either makes mirror images
        raise ConfigError(
            f"--tta {config.tta}: the model {config.model} was trained without mirror "
            "images, as classes need that a mirror swaps (clockwise spirals become "
            "anticlockwise); leave the flag out."
        )
    if SPREAD_COLUMN in map(probability_column, card.classes):
        raise ConfigError(
            f"--tta {config.tta}: the column {SPREAD_COLUMN} belongs to a class of the "
            f"model {config.model}; leave the flag out, or rename the class and train "
            "again."
        )


def _check_columns(
    config: ScoreConfig, keep: tuple[str, ...], catalog: Catalog, card: ModelCard
) -> None:
    """Refuse kept columns that the predictions have already.

    Raises:
        CatalogError: naming them.
    """
    taken = _schema(config, catalog, (), card).names
    clashes = sorted(set(taken).intersection(keep))
    if clashes:
        raise CatalogError(
            f"--keep {' '.join(clashes)}: the predictions have columns of that name; "
            f"rename them in {catalog.uri}."
        )


def _schema(
    config: ScoreConfig, catalog: Catalog, kept: Sequence[pa.Field], card: ModelCard
) -> pa.Schema:
    predicted = answer_fields(card, config)
    return rows_schema(catalog.id_type, kept, predicted, config.embedding)


def _shown(value: object) -> str:
    return (" ".join(value) or "none") if isinstance(value, tuple) else str(value)
