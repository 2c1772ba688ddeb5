"""The trained model that a training starts from, for other classes or larger images.

The driver checks the model's card; each worker copies the weights. Imports TensorFlow
only there.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
from galaxy_models.models.shipped import model_reference

if TYPE_CHECKING:  # imports TensorFlow
    import keras


@dataclass(frozen=True)
class StartingPoint:
    """A model folder, and what of it is taken over."""

    model: str
    """A ``model_reference``."""

    card: ModelCard
    new_layers: tuple[str, ...]
    """Names of the last layers that begin anew, since they differ; none, one or two."""

    def copy_weights(self, network: "keras.Model") -> None:
        """Give a new network of the same kind the model's weights, in place."""
        source = load_model(self.model, self.card)
        for layer in network.layers:
            if layer.weights and layer.name not in self.new_layers:
                layer.set_weights(source.get_layer(layer.name).get_weights())


def find_starting_point(config: TrainConfig, head: Head) -> StartingPoint | None:
    """Check the model that training is to start from.

    Args:
        config: the flags of ``jobs.train``.
        head: what is to be learned.

    Returns:
        None without ``--start-from``.

    Raises:
        ModelFolderError: there is no whole model folder.
        ConfigError: its network is another, or another size of it.
    """
    if config.start_from is None:
        return None
    model = model_reference(config.start_from)
    card = read_card(model)
    shared_paths.check_inputs("--start-from", required_files(model, card))
    trained = {
        "network": card.network,
        "alpha": card.alpha,
        # LeNet-5's dense layers grow with the image; MobileNets average over it.
        "image_size": card.decode_rule.image_size
        if card.network == "lenet5"
        else config.image_size,
    }
    for name, value in trained.items():
        if getattr(config, name) != value:
            flag = f"--{name.replace('_', '-')}"
            raise ConfigError(
                f"{flag} {getattr(config, name)}: the model {config.start_from} that "
                f"training is to start from has {value}; add {flag} {value}."
            )
    read_model_file(model, card, MODEL_NAME)  # a damaged one is refused before work
    return StartingPoint(model, card, _new_layers(card, config, head))


def _new_layers(card: ModelCard, config: TrainConfig, head: Head) -> tuple[str, ...]:
    if card.hidden_units != config.hidden_units:
        return (HIDDEN_NAME, HEAD_NAME)
    return (HEAD_NAME,) if card.head != head else ()
