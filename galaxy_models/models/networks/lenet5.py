"""LeNet-5: the weak lower anchor that every MobileNet has to beat.

Knows the architecture only; weights, training and files live elsewhere.
"""

from typing import NamedTuple

import keras

from galaxy_models.models.networks import blocks


class ConvPool(NamedTuple):
    """One row of the table: a convolution, then 2x2 average pooling."""

    filters: int
    """Output channels."""

    kernel_size: int
    """Height and width of the kernel, px of the input map."""


CONV_POOLS = (ConvPool(6, 5), ConvPool(16, 5))
"""Layers C1 to S4 of LeCun et al. 1998, figure 2."""

DENSE_UNITS = (120, 84)
"""Layers C5 and F6 of the same figure."""

DESIGN_SIZE = 32  # px; height and width of the images in the paper


def lenet5(num_classes: int, image_size: int) -> keras.Model:
    """Build LeNet-5 for colour images of any size from 32 px on.

    Images are first averaged over squares of ``image_size // 32`` px, so the
    convolutions see 32 to 63 px (32 exactly where the size is a multiple of 32)
    and the dense part does not grow with the image. Kept from the paper: widths,
    kernels without padding, average pooling, tanh. Changed: three input channels;
    pooling has no weights; every filter of the second convolution sees all
    maps; softmax in place of the radial basis functions.

    Args:
        num_classes: length of the softmax, at least 2.
        image_size: height and width of the images, px, at least 32.

    Returns:
        An untrained network: uint8 (images, image_size, image_size, 3) in,
        float32 probabilities (images, num_classes) out.

    Source:
        LeCun et al. 1998, Proceedings of the IEEE 86, 2278, figure 2.
    """
    images, maps = blocks.images_from_uint8(image_size)
    shrink = keras.layers.AveragePooling2D(image_size // DESIGN_SIZE, name="shrink")
    maps = shrink(maps)
    for row, (filters, kernel_size) in enumerate(CONV_POOLS, start=1):
        maps = keras.layers.Conv2D(
            filters, kernel_size, activation="tanh", name=f"conv_{row}"
        )(maps)
        maps = keras.layers.AveragePooling2D(2, name=f"pool_{row}")(maps)
    features = keras.layers.Flatten(name="flatten")(maps)
    for row, units in enumerate(DENSE_UNITS, start=1):
        dense = keras.layers.Dense(units, activation="tanh", name=f"dense_{row}")
        features = dense(features)
    outputs = blocks.class_probabilities(features, num_classes)
    return keras.Model(images, outputs, name="lenet5")
