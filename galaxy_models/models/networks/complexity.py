"""How much arithmetic one image costs; knows layers, not clocks."""

import math

import keras

COUNTED_LAYERS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.Dense,
)


def count_multiply_adds(network: keras.Model) -> int:
    """Count the multiply-adds that one image costs in a forward pass.

    Each weight of a kernel is used once for every position of the output map.
    Convolutions, depthwise convolutions and dense layers count; biases, batch
    norm, activations, pooling and sums do not, as papers have it.

    Args:
        network: built, with a fixed image size, channels last, and without
            models nested in it.

    Returns:
        Multiply-adds for one image; twice as many are the usual FLOPs.
    """
    return sum(
        math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
        for layer in network.layers
        if isinstance(layer, COUNTED_LAYERS)
    )
