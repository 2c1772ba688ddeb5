"""MobileNet v1: depthwise separable convolutions, nothing else.

Knows the architecture only; weights, training and files live elsewhere.
"""

from typing import NamedTuple

import keras

from galaxy_models.config import HIDDEN_UNITS
from galaxy_models.models.networks import blocks


class Block(NamedTuple):
    """One row of the table: depthwise blocks of the same width."""

    filters: int
    """Output channels."""

    repeats: int
    """How many such blocks follow each other."""

    stride: int
    """Step of the depthwise convolution, px of the input map."""

    padding: blocks.Padding = "same"
    """Zeros of the depthwise convolution itself."""

    border_px: int = 0
    """Zeros added beforehand on all four sides, px of the input map."""


STEM_FILTERS = 32

BLOCKS = (
    Block(64, 1, 1),
    Block(128, 1, 2, "bottom_right"),
    Block(128, 1, 1),
    Block(256, 1, 2, "bottom_right"),
    Block(256, 1, 1),
    Block(512, 1, 2, "bottom_right"),
    Block(512, 5, 1),
    Block(1024, 1, 2, "bottom_right"),
    # The paper prints stride 2 here although the map stays 7x7. A border of 3
    # makes both true: 7 + 2 x 3 = 13, and every second of 13 is 7.
    Block(1024, 1, 2, border_px=3),
)
"""Howard et al. 2017, arXiv:1704.04861, table 1."""


def mobilenet_v1(
    num_classes: int,
    image_size: int,
    alpha: float = 1.0,
    hidden_units: int = HIDDEN_UNITS,
) -> keras.Model:
    """Build MobileNet v1 with a hidden dense layer before the classes.

    Args:
        num_classes: length of the softmax, at least 2.
        image_size: height and width of the images, px, at least 32.
        alpha: width multiplier, unitless, above 0.
        hidden_units: width of the dense layer before the classes: 1000 in the blog, 0
            (none) in the paper.

    Returns:
        An untrained network: uint8 (images, image_size, image_size, 3) in,
        float32 probabilities (images, num_classes) out. At 224 px, 6 classes,
        alpha 1 and 1000 hidden units 4,259,870 parameters and 568,746,352
        multiply-adds.

    Source:
        Howard et al. 2017, arXiv:1704.04861, table 1 and section 3.3.
    """
    images, maps = blocks.images_from_uint8(image_size)
    stem = blocks.scaled_filters(STEM_FILTERS, alpha)
    maps = blocks.conv_block(maps, stem, 3, 2, "bottom_right", name="stem")
    for row, block in enumerate(BLOCKS, start=1):
        for repeat in range(1, block.repeats + 1):
            maps = _block(maps, block, alpha, f"block_{row}_{repeat}")
    outputs = blocks.mobilenet_head(maps, num_classes, hidden_units)
    return keras.Model(images, outputs, name="mobilenet_v1")


def _block(
    maps: keras.KerasTensor, block: Block, alpha: float, name: str
) -> keras.KerasTensor:
    if block.border_px:
        border = keras.layers.ZeroPadding2D(block.border_px, name=f"{name}_border")
        maps = border(maps)
    filters = blocks.scaled_filters(block.filters, alpha)
    return blocks.depthwise_block(maps, filters, block.stride, block.padding, name=name)
