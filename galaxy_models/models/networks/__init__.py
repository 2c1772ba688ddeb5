"""Architectures, each with rescaling inside: uint8 images in, probabilities out.

Knows no files, no Ray, no training and no weights. Importing it imports
TensorFlow, which costs seconds: do so where networks are built, not on a driver.
"""

import math
from collections.abc import Callable

import keras

from galaxy_models.config import (
    HIDDEN_UNITS,
    MIN_IMAGE_SIZE_PX,
    NETWORKS_WITH_ALPHA,
    NETWORKS_WITH_HIDDEN_UNITS,
)
from galaxy_models.errors import ConfigError
from galaxy_models.models.heads import HeadKind
from galaxy_models.models.networks.blocks import BATCH_NORM_MOMENTUM
from galaxy_models.models.networks.complexity import count_multiply_adds
from galaxy_models.models.networks.last_layers import with_head
from galaxy_models.models.networks.lenet5 import lenet5
from galaxy_models.models.networks.mobilenet_v1 import mobilenet_v1
from galaxy_models.models.networks.mobilenet_v2 import mobilenet_v2, mobilenet_v2_paper

__all__ = [
    "BATCH_NORM_MOMENTUM",
    "NETWORKS",
    "build_network",
    "count_multiply_adds",
    "with_features_output",
]

NETWORKS: dict[str, Callable[..., keras.Model]] = {
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v2_paper": mobilenet_v2_paper,
    "lenet5": lenet5,
}
"""Builders by name; each takes ``num_classes`` and ``image_size``."""


def build_network(
    name: str,
    num_classes: int,
    image_size: int,
    alpha: float = 1.0,
    hidden_units: int = HIDDEN_UNITS,
    kind: HeadKind = "classes",
) -> keras.Model:
    """Build an untrained network by its name.

    Args:
        name: a key of ``NETWORKS``.
        num_classes: length of the softmax, or outputs of another head, at least 2.
        image_size: height and width of the images, px, at least 32.
        alpha: width multiplier, unitless, above 0; other than 1 only for
            ``NETWORKS_WITH_ALPHA``.
        hidden_units: width of the dense layer before the outputs, 0 for none; other
            than 1000 only for ``NETWORKS_WITH_HIDDEN_UNITS``.
        kind: what the outputs are; see ``heads``.

    Returns:
        The network: uint8 (images, image_size, image_size, 3), values 0 to 255,
        in; float32 (images, num_classes) out: of classes, rows sum to 1.

    Raises:
        ConfigError: an argument is outside the limits above.
    """
    _check_name(name)
    _check_sizes(num_classes, image_size)
    _check_alpha(name, alpha)
    _check_hidden_units(name, hidden_units)
    widths: dict[str, float] = {}
    if name in NETWORKS_WITH_ALPHA:
        widths["alpha"] = alpha
    if name in NETWORKS_WITH_HIDDEN_UNITS:
        widths["hidden_units"] = hidden_units
    network = NETWORKS[name](num_classes, image_size, **widths)
    return network if kind == "classes" else with_head(network, kind)


def with_features_output(network: keras.Model) -> keras.Model:
    """Let a network put out its features, too: the input of its first dense layer.

    Args:
        network: one of ``build_network``; the result shares its weights.

    Returns:
        A network with two outputs: the probabilities, and the features, shape (images,
        features).
    """
    dense = next(
        layer for layer in network.layers if isinstance(layer, keras.layers.Dense)
    )
    return keras.Model(network.inputs, [network.outputs[0], dense.input])


def _check_name(name: str) -> None:
    if name not in NETWORKS:
        raise ConfigError(
            f"There is no network named {name!r}. Choose one of {', '.join(NETWORKS)}."
        )


def _check_sizes(num_classes: int, image_size: int) -> None:
    if num_classes < 2:
        raise ConfigError(
            f"A network needs at least 2 classes; received num_classes={num_classes}. "
            "Give labels of two or more different classes."
        )
    if image_size < MIN_IMAGE_SIZE_PX:
        raise ConfigError(
            f"Networks take images of at least {MIN_IMAGE_SIZE_PX} px a side; received "
            f"image_size={image_size}. Choose {MIN_IMAGE_SIZE_PX} or more: images are "
            "resized to it."
        )


def _check_alpha(name: str, alpha: float) -> None:
    if not (math.isfinite(alpha) and alpha > 0):
        raise ConfigError(
            "alpha, the width multiplier, must be above 0 and finite; received "
            f"alpha={alpha}. Choose 1 for the full width, or 0.5, say, for half of it."
        )
    if alpha != 1 and name not in NETWORKS_WITH_ALPHA:
        raise ConfigError(
            f"Network {name!r} has one width only; received alpha={alpha}. Leave "
            f"alpha at 1, or choose a network that takes it: "
            f"{', '.join(NETWORKS_WITH_ALPHA)}."
        )


def _check_hidden_units(name: str, hidden_units: int) -> None:
    if hidden_units < 0:
        raise ConfigError(
            f"hidden_units must be 0 or more; received {hidden_units}. Choose "
            f"{HIDDEN_UNITS}, or 0 for no hidden layer."
        )
    if hidden_units != HIDDEN_UNITS and name not in NETWORKS_WITH_HIDDEN_UNITS:
        raise ConfigError(
            f"Network {name!r} has its own dense layers; received "
            f"hidden_units={hidden_units}. Leave hidden_units at {HIDDEN_UNITS}."
        )
