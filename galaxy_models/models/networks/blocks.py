"""The pieces that the networks are built of.

Every function takes a symbolic batch of feature maps, shape (images, height,
width, channels), and returns another. Nothing here knows a whole network.
"""

from typing import Literal

import keras

from galaxy_models.models.heads import HIDDEN_NAME

Padding = Literal["same", "bottom_right"]
"""``same`` is Keras' own; ``bottom_right`` adds one row and one column of zeros
below and to the right, then convolves without padding (a map of 2n shrinks to n
at stride 2)."""

Activation = Literal["relu", "relu6", "tanh"]

BATCH_NORM_MOMENTUM = 0.9
"""Unitless share of the moving statistics that outlives one training step.

Galaxy cutouts are dark, so the true statistics lie far from the initial mean 0
and variance 1, and survey training sets are often small. With Keras' default of
0.99 the moving variances were useless for the first thousand steps: after 465
steps training accuracy stood at 75 % and validation accuracy at 21 %. At 0.9 a
start value has faded to 0.5 % after 50 steps."""

CHANNEL_MULTIPLE = 8  # channels; widths stay divisible by it at every alpha


def scaled_filters(filters: int, alpha: float) -> int:
    """Scale a number of channels and round it to a multiple of 8.

    Args:
        filters: channels at alpha 1.
        alpha: width multiplier, unitless, above 0.

    Returns:
        The nearest multiple of 8 to ``alpha * filters`` (halves go up), or the
        next one above where rounding would lose more than a tenth.
    """
    target = alpha * filters
    multiples = max(1, int(target / CHANNEL_MULTIPLE + 0.5))
    if multiples * CHANNEL_MULTIPLE < 0.9 * target:
        multiples += 1
    return multiples * CHANNEL_MULTIPLE


def images_from_uint8(image_size: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Open a network: raw pixels in, rescaled pixels out.

    The input is declared uint8, so floating-point images are truncated to whole
    numbers: hand over 0 to 255, never 0 to 1.

    Args:
        image_size: height and width, px.

    Returns:
        The input, uint8, shape (images, image_size, image_size, 3), and the same
        images as floats in [0, 1].
    """
    images = keras.Input((image_size, image_size, 3), dtype="uint8", name="images")
    return images, keras.layers.Rescaling(1 / 255, name="rescaling")(images)


def batch_norm(maps: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Normalise every channel, with moving statistics that settle quickly."""
    return keras.layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=name)(
        maps
    )


def conv_block(
    maps: keras.KerasTensor,
    filters: int,
    kernel_size: int = 1,
    stride: int = 1,
    padding: Padding = "same",
    activation: Activation = "relu",
    *,
    name: str,
) -> keras.KerasTensor:
    """Convolution without bias, batch norm, activation.

    Args:
        maps: shape (images, height, width, channels).
        filters: output channels.
        kernel_size: height and width of the kernel, px of the input map.
        stride: step of the kernel, px of the input map.
        padding: see ``Padding``.
        activation: Keras' name of it.
        name: prefix of the layers' names, unique in the network.

    Returns:
        Shape (images, height / stride, width / stride, filters), where the
        padding decides how odd sizes round.
    """
    maps, keras_padding = _pad(maps, padding, name)
    maps = keras.layers.Conv2D(
        filters,
        kernel_size,
        stride,
        padding=keras_padding,
        use_bias=False,
        name=f"{name}_conv",
    )(maps)
    return _norm_and_activation(maps, activation, name)


def depthwise_conv_block(
    maps: keras.KerasTensor,
    stride: int = 1,
    padding: Padding = "same",
    activation: Activation = "relu",
    *,
    name: str,
) -> keras.KerasTensor:
    """3x3 depthwise convolution without bias, batch norm, activation.

    Args:
        maps: shape (images, height, width, channels).
        stride: step of the kernel, px of the input map.
        padding: see ``Padding``.
        activation: Keras' name of it.
        name: prefix of the layers' names, unique in the network.

    Returns:
        Shape (images, height / stride, width / stride, channels).
    """
    maps, keras_padding = _pad(maps, padding, name)
    maps = keras.layers.DepthwiseConv2D(
        3, stride, padding=keras_padding, use_bias=False, name=f"{name}_conv"
    )(maps)
    return _norm_and_activation(maps, activation, name)


def depthwise_block(
    maps: keras.KerasTensor,
    filters: int,
    stride: int = 1,
    padding: Padding = "same",
    *,
    name: str,
) -> keras.KerasTensor:
    """Depthwise separable convolution: 3x3 depthwise, then a 1x1 ``conv_block``.

    Args:
        maps: shape (images, height, width, channels).
        filters: output channels of the 1x1 convolution.
        stride: step of the depthwise kernel, px of the input map.
        padding: of the depthwise convolution; see ``Padding``.
        name: prefix of the layers' names, unique in the network.

    Returns:
        Shape (images, height / stride, width / stride, filters).

    Source:
        Howard et al. 2017, arXiv:1704.04861, figure 3.
    """
    maps = depthwise_conv_block(maps, stride, padding, name=f"{name}_depthwise")
    return conv_block(maps, filters, name=f"{name}_pointwise")


def projection(
    maps: keras.KerasTensor, filters: int, *, use_bias: bool, name: str
) -> keras.KerasTensor:
    """1x1 convolution and batch norm without activation: a linear bottleneck."""
    maps = keras.layers.Conv2D(filters, 1, use_bias=use_bias, name=f"{name}_conv")(maps)
    return batch_norm(maps, f"{name}_norm")


def residual_sum(
    block_input: keras.KerasTensor,
    block_output: keras.KerasTensor,
    stride: int,
    name: str,
) -> keras.KerasTensor:
    """Add the input where the block kept its shape, else return the output."""
    if stride != 1 or block_input.shape[-1] != block_output.shape[-1]:
        return block_output
    return keras.layers.Add(name=f"{name}_add")([block_input, block_output])


def mobilenet_head(
    maps: keras.KerasTensor, num_classes: int, hidden_units: int
) -> keras.KerasTensor:
    """Average the whole map, one hidden dense layer, then class probabilities.

    Args:
        maps: the last feature maps, shape (images, height, width, channels).
        num_classes: length of the softmax.
        hidden_units: width of the hidden layer; 0 for none.

    Returns:
        float32, shape (images, num_classes), rows sum to 1.
    """
    maps = keras.layers.AveragePooling2D(maps.shape[1:3], name="head_pool")(maps)
    features = keras.layers.Flatten(name="head_flatten")(maps)
    if hidden_units:
        hidden = keras.layers.Dense(hidden_units, activation="relu", name=HIDDEN_NAME)
        features = hidden(features)
    return class_probabilities(features, num_classes)


def class_probabilities(
    features: keras.KerasTensor, num_classes: int
) -> keras.KerasTensor:
    """Dense layer and softmax; the softmax stays float32 in mixed precision."""
    logits = keras.layers.Dense(num_classes, name="logits")(features)
    return keras.layers.Activation("softmax", dtype="float32", name="probabilities")(
        logits
    )


def _pad(
    maps: keras.KerasTensor, padding: Padding, name: str
) -> tuple[keras.KerasTensor, str]:
    """Add the zeros of ``bottom_right``; say which padding Keras shall use."""
    if padding == "same":
        return maps, "same"
    zeros = keras.layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")
    return zeros(maps), "valid"


def _norm_and_activation(
    maps: keras.KerasTensor, activation: Activation, name: str
) -> keras.KerasTensor:
    maps = batch_norm(maps, f"{name}_norm")
    return keras.layers.Activation(activation, name=f"{name}_{activation}")(maps)
