"""What a model and a catalog cannot serve: refused before anything is written.

Knows flags, the model's card and columns; it starts nothing.
"""

from galaxy_models.config import ScoreConfig
from galaxy_models.errors import CatalogError, ConfigError
from galaxy_models.models.card import ModelCard
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.prediction_schema import (
    SPREAD_COLUMN,
    predictions_schema,
    probability_column,
)


def check_model(config: ScoreConfig, card: ModelCard) -> None:
    """Refuse what the model cannot do, whatever the catalog.

    Raises:
        ConfigError: pixels would be made in another way than in training; or views are
            asked for that a mirror makes, and training left mirror images out, or a
            class has the column of their spread.
    """
    _check_decode_rule(config, card)
    if config.tta != "none":
        _check_views(config, card)


def _check_decode_rule(config: ScoreConfig, card: ModelCard) -> None:
    for name in ("fits_bands", "fits_stretch", "fits_q"):
        asked, trained = getattr(config, name), getattr(card.decode_rule, name)
        if asked is not None and asked != trained:
            raise ConfigError(
                f"--{name.replace('_', '-')} {_shown(asked)}: the model {config.model} "
                f"was trained with {_shown(trained)}; leave the flag out, or train a "
                "model with it."
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


def check_columns(
    config: ScoreConfig, keep: tuple[str, ...], catalog: Catalog, card: ModelCard
) -> None:
    """Refuse kept columns that the predictions have already.

    Raises:
        CatalogError: naming them.
    """
    spread = config.tta != "none"
    taken = predictions_schema(catalog.id_type, (), card.classes, spread=spread).names
    clashes = sorted(set(taken).intersection(keep))
    if clashes:
        raise CatalogError(
            f"--keep {' '.join(clashes)}: the predictions have columns of that name; "
            f"rename them in {catalog.uri}."
        )


def _shown(value: object) -> str:
    return (" ".join(value) or "none") if isinstance(value, tuple) else str(value)
