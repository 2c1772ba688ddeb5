"""What a detection was asked for, checked: model, table of images, tiles.

The first of the wing's three states: a ``Request`` stands in a ``plan.Plan``, and what
came out of that is a ``run_record.RunRecord``. Nothing is started here.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from galaxy_models.chunks.ledger import OUTPUT_NAMES
from galaxy_models.chunks.run_file import ENGINE_KEY, RUN_RECORD_NAME, VERSION_KEY
from galaxy_models.cluster import shared_paths
from galaxy_models.config import DetectConfig, EngineName
from galaxy_models.config.decode_rule import FITS_FIELDS, DecodeRule
from galaxy_models.detection.sidecars import Sidecars, open_sidecars
from galaxy_models.detection.tile_list import TileList, list_tiles
from galaxy_models.errors import ConfigError
from galaxy_models.models.card import ModelCard
from galaxy_models.models.folder import read_card, required_files
from galaxy_models.models.shipped import model_reference
from galaxy_models.storage.output_folder import OutputKind
from galaxy_models.tables.catalog import Catalog, open_catalog
from galaxy_models.tables.formats import open_images
from galaxy_models.tables.formats.numbered_rows import NumberedRows, number_rows

# Of _run.json and of resume keys. 1 had no is_primary; 2 had other rows: backgrounds
# and sep's cleaning depended on the tile.
FORMAT_VERSION = 3
OUTPUT = OutputKind(
    job="jobs.detect",
    results_name=RUN_RECORD_NAME,
    names=OUTPUT_NAMES,
    foreign_key="catalog_fingerprint",  # jobs.score's
)


@dataclass(frozen=True)
class Request:
    """A model, and images that it can be shown."""

    config: DetectConfig
    model: str
    """A ``model_reference``."""

    card: ModelCard
    """The model's, read once; actors load its files by it."""

    rule: DecodeRule
    """The model's, with the bands and the stretch of these images."""

    catalog: Catalog
    """A row for each image."""

    rows: NumberedRows
    """The same by their number."""

    tiles: TileList
    sidecars: Sidecars | None = None
    """Where images' sky coordinates lie, if not in their headers."""

    def with_engine(self, name: EngineName) -> "Request":
        """Ask for an engine, unless one is asked for already."""
        if self.config.engine != "auto":
            return self
        config = dataclasses.replace(self.config, engine=name)
        return dataclasses.replace(self, config=config)

    def resume_key(self, engine: str | None = None) -> dict[str, Any]:
        """Name the inputs that determine the output; compared on resume.

        Args:
            engine: what predicts; left out of the key if None.
        """
        catalog, card = self.catalog, self.card
        key = {
            "the content of the table of images": (
                catalog.copied_rows_hash or self.rows.content_hash
            ),
            "the set of images": catalog.fingerprint,
            "the images' sizes": self.tiles.fingerprint,
            "--id-column": catalog.id_column,
            "--image-column": catalog.image_column,
            "--image-root": catalog.image_root,
            "--allow-image-prefix": list(catalog.allowed_prefixes),
            "the model's hash": card.model_hash,
            "the model's temperature": card.temperature,
            **{
                f"--{name.replace('_', '-')}": getattr(self.rule, name)
                for name in FITS_FIELDS
            },
            "--wcs": self.sidecars and self.sidecars.folder,
            "--tile-size": self.config.tile_size,
            "--tiles-per-file": self.config.tiles_per_file,
            VERSION_KEY: FORMAT_VERSION,
        }
        return key if engine is None else {**key, ENGINE_KEY: engine}


def resumes(config: DetectConfig) -> bool:
    """Whether a detection like this one is resumed where the output holds it."""
    return config.resume == "auto" and not config.overwrite


def open_request(config: DetectConfig, staging_uri: str) -> Request:
    """Check model and images; reads the header of every image.

    Args:
        config: what was asked for.
        staging_uri: folder for a copy of a table that is not Parquet.

    Raises:
        InputError: one of them cannot serve.
        StorageError: an object store does not answer.
    """
    card = read_card(config.model)
    if card.head.kind != "classes":
        raise ConfigError(
            f"--model {config.model} predicts {card.head.kind}; detections are given "
            "classes, so name a model of classes."
        )
    sidecars = None if config.wcs is None else open_sidecars(config.wcs)
    shared_paths.check_inputs("--model", required_files(config.model, card))
    catalog = open_catalog(
        config,
        staging_uri,
        for_ray=False,
        check_files=shared_paths.check_inputs,
        flag="--images",
        open_source=open_images,
    )
    rule = card.decode_rule.with_fits(
        config.fits_bands, config.fits_stretch, config.fits_q
    )
    return Request(
        config=config,
        model=model_reference(config.model),
        card=card,
        rule=rule,
        catalog=catalog,
        rows=number_rows(catalog.table),
        tiles=list_tiles(catalog, rule, config.tile_size),
        sidecars=sidecars,
    )
