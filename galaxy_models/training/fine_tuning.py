"""The trained model that a training starts from, for other classes or larger images.

Of several models that were trained from one and the same, the mean of the weights. The
driver checks the models' cards; each worker copies the weights. Imports TensorFlow only
there.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from galaxy_models import storage
from galaxy_models.cluster import shared_paths
from galaxy_models.config import TrainConfig
from galaxy_models.errors import ConfigError
from galaxy_models.models.card import MODEL_NAME, ModelCard
from galaxy_models.models.folder import (
    load_model,
    read_card,
    read_model_file,
    required_files,
)
from galaxy_models.models.heads import HEAD_NAME, HIDDEN_NAME, Head
from galaxy_models.models.shipped import model_folder_uri, model_reference

if TYPE_CHECKING:  # imports TensorFlow
    import keras

logger = logging.getLogger(__name__)

START_HASH = "start_from"  # in ``ModelCard.data``: that of the model started from


@dataclass(frozen=True)
class StartingPoint:
    """Model folders, and what of them is taken over."""

    models: tuple[str, ...]
    """As ``model_reference`` gives them; the first is that of ``--start-from``."""

    cards: tuple[ModelCard, ...]
    new_layers: tuple[str, ...]
    """Names of the last layers that begin anew, since they differ; none, one or two."""

    @property
    def hashes(self) -> list[str]:
        """Of the models, in their order."""
        return [card.model_hash for card in self.cards]

    def copy_weights(self, network: "keras.Model") -> None:
        """Give a new network of the same kind the models' mean weights, in place."""
        sources = [
            load_model(model, card)
            for model, card in zip(self.models, self.cards, strict=True)
        ]
        for layer in network.layers:
            if layer.weights and layer.name not in self.new_layers:
                theirs = (
                    source.get_layer(layer.name).get_weights() for source in sources
                )
                layer.set_weights(
                    [np.mean(same, axis=0) for same in zip(*theirs, strict=True)]
                )


def find_starting_point(config: TrainConfig, head: Head) -> StartingPoint | None:
    """Check the models that training is to start from.

    Args:
        config: the flags of ``jobs.train``.
        head: what is to be learned.

    Returns:
        None without ``--start-from``.

    Raises:
        ModelFolderError: there is no whole model folder.
        ConfigError: a network is another, or another size of it; the models to
            average end in other layers; or one would be overwritten.
    """
    if config.start_from is None:
        return None
    named = [("--start-from", config.start_from)]
    named += [("--average-with", name) for name in config.average_with]
    models = tuple(model_reference(name) for _, name in named)
    cards: list[ModelCard] = []
    for (flag, name), model in zip(named, models, strict=True):
        card = read_card(model)
        if storage.resolved(model_folder_uri(model)) == storage.resolved(config.output):
            raise ConfigError(
                f"{flag} {name} is the folder of --output, which would be emptied; "
                "name a new folder with --output."
            )
        shared_paths.check_inputs(flag, required_files(model, card))
        _check_network(config, card, name)
        _check_likeness(cards, card, name)
        read_model_file(model, card, MODEL_NAME)  # a damaged one is refused before work
        cards.append(card)
    new_layers = _new_layers(cards[0], config, head)
    if HIDDEN_NAME in new_layers:
        logger.info(
            "the last two layers begin at random: --hidden-units is %d, that of %s %d",
            config.hidden_units,
            config.start_from,
            cards[0].hidden_units,
        )
    return StartingPoint(models, tuple(cards), new_layers)


def _check_network(config: TrainConfig, card: ModelCard, model: str) -> None:
    """Refuse a model whose network is not the one that is to be trained."""
    trained = {
        "network": card.network,
        "alpha": card.alpha,
        # LeNet-5's dense layers grow with the image; MobileNets average over it.
        "image_size": card.decode_rule.image_size
        if card.network == "lenet5"
        else config.image_size,
    }
    asked = {name: getattr(config, name) for name in trained}
    others = [name for name in trained if asked[name] != trained[name]]
    if others:
        raise ConfigError(
            f"{_as_flags(asked, others)}: the model {model} that training is to start "
            f"from is of another kind; give {_as_flags(trained, others)}."
        )


def _as_flags(values: Mapping[str, object], names: Sequence[str]) -> str:
    return " ".join(f"--{name.replace('_', '-')} {values[name]}" for name in names)


def _check_likeness(others: list[ModelCard], card: ModelCard, name: str) -> None:
    """Refuse a model that cannot be averaged with the first; doubt an unrelated one.

    Args:
        others: cards of the models before it; none, if it is the first.
        card: its own.
        name: as it was given.
    """
    if not others:
        return
    first = others[0]
    if (card.hidden_units, card.head) != (first.hidden_units, first.head):
        raise ConfigError(
            f"--average-with {name}: it has {_last_layers(card)}, the model of "
            f"--start-from {_last_layers(first)}; name models that are alike."
        )
    if not any(_ancestry(card) & _ancestry(other) for other in others):
        logger.warning(
            "--average-with %s: as far as its card says, it was not trained from the "
            "same model as the others; a mean of unrelated weights predicts nothing",
            name,
        )


def _last_layers(card: ModelCard) -> str:
    outputs = ", ".join(card.head.output_names)
    return f"{card.hidden_units} hidden units and the outputs {outputs}"


def _ancestry(card: ModelCard) -> set[Any]:
    """Hashes of a model and of what it was trained from."""
    return {card.model_hash, card.data.get(START_HASH)} - {None}


def _new_layers(card: ModelCard, config: TrainConfig, head: Head) -> tuple[str, ...]:
    if card.hidden_units != config.hidden_units:
        return (HIDDEN_NAME, HEAD_NAME)
    return (HEAD_NAME,) if card.head != head else ()
