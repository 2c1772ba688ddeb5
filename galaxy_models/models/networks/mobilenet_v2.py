"""MobileNet v2 twice: as a blog builds it, and as the paper does.

Both follow the same table and share their head. The blog's bottleneck puts a
whole depthwise *block* where the paper has a depthwise *convolution*, and so
holds one more 1x1 convolution of expanded width: three times the work. Knows the
architectures only: weights, training and files live elsewhere.
"""

from typing import NamedTuple

import keras

from galaxy_models.config import HIDDEN_UNITS
from galaxy_models.models.networks import blocks


class Block(NamedTuple):
    """One row of the table: bottlenecks of the same width."""

    expansion: int
    """Expanded channels for each input channel (the paper's t)."""

    filters: int
    """Output channels (the paper's c)."""

    repeats: int
    """How many such bottlenecks follow each other (the paper's n)."""

    stride: int
    """Step of the first of them, px of the input map; the others have 1 (s)."""


STEM_FILTERS = 32

BLOCKS = (
    Block(expansion=1, filters=16, repeats=1, stride=1),
    Block(expansion=6, filters=24, repeats=2, stride=2),
    Block(expansion=6, filters=32, repeats=3, stride=2),
    Block(expansion=6, filters=64, repeats=4, stride=2),
    Block(expansion=6, filters=96, repeats=3, stride=1),
    Block(expansion=6, filters=160, repeats=3, stride=2),
    Block(expansion=6, filters=320, repeats=1, stride=1),
)
"""Sandler et al. 2018, arXiv:1801.04381, table 2."""

FEATURES = 1280  # channels of the last 1x1 convolution, same table


def mobilenet_v2(
    num_classes: int, image_size: int, hidden_units: int = HIDDEN_UNITS
) -> keras.Model:
    """Build MobileNet v2 as a blog builds it.

    Three things differ from the paper: each bottleneck has a further 1x1
    convolution block of expanded width, also where the expansion is 1; the
    projection has a bias; ReLU is not capped at 6.

    Args:
        num_classes: length of the softmax, at least 2.
        image_size: height and width of the images, px, at least 32.
        hidden_units: width of the dense layer before the classes: 1000 in the blog, 0
            (none) in the paper.

    Returns:
        An untrained network: uint8 (images, image_size, image_size, 3) in,
        float32 probabilities (images, num_classes) out. At 224 px, 6 classes and 1000
        hidden units 8,088,446 parameters and 899,078,896 multiply-adds.
    """
    images, maps = blocks.images_from_uint8(image_size)
    maps = blocks.conv_block(maps, STEM_FILTERS, 3, 2, "bottom_right", name="stem")
    for name, block, stride in _bottlenecks():
        maps = _blog_bottleneck(maps, block.expansion, block.filters, stride, name)
    maps = blocks.conv_block(maps, FEATURES, name="features")
    outputs = blocks.mobilenet_head(maps, num_classes, hidden_units)
    return keras.Model(images, outputs, name="mobilenet_v2")


def mobilenet_v2_paper(
    num_classes: int,
    image_size: int,
    alpha: float = 1.0,
    hidden_units: int = HIDDEN_UNITS,
) -> keras.Model:
    """Build the paper's MobileNet v2, with the blog's head unless that is left out.

    Args:
        num_classes: length of the softmax, at least 2.
        image_size: height and width of the images, px, at least 32.
        alpha: width multiplier, unitless, above 0; the last 1280 channels grow
            with it above 1 and do not shrink with it below.
        hidden_units: width of the dense layer before the classes: 1000 in the blog, 0
            (none) in the paper.

    Returns:
        An untrained network: uint8 (images, image_size, image_size, 3) in,
        float32 probabilities (images, num_classes) out. At 224 px and alpha 1
        about 300 million multiply-adds.

    Source:
        Sandler et al. 2018, arXiv:1801.04381, tables 1 and 2, section 4.
    """
    images, maps = blocks.images_from_uint8(image_size)
    stem = blocks.scaled_filters(STEM_FILTERS, alpha)
    maps = blocks.conv_block(maps, stem, 3, 2, activation="relu6", name="stem")
    for name, block, stride in _bottlenecks():
        filters = blocks.scaled_filters(block.filters, alpha)
        maps = _paper_bottleneck(maps, block.expansion, filters, stride, name)
    features = blocks.scaled_filters(FEATURES, max(alpha, 1.0))
    maps = blocks.conv_block(maps, features, activation="relu6", name="features")
    outputs = blocks.mobilenet_head(maps, num_classes, hidden_units)
    return keras.Model(images, outputs, name="mobilenet_v2_paper")


def _bottlenecks() -> list[tuple[str, Block, int]]:
    """List every bottleneck of the table with its name and its own stride."""
    return [
        (f"block_{row}_{repeat}", block, block.stride if repeat == 1 else 1)
        for row, block in enumerate(BLOCKS, start=1)
        for repeat in range(1, block.repeats + 1)
    ]


def _blog_bottleneck(
    maps: keras.KerasTensor, expansion: int, filters: int, stride: int, name: str
) -> keras.KerasTensor:
    """Expand, depthwise block of expanded width, project with bias, add."""
    expanded = expansion * maps.shape[-1]
    wide = blocks.conv_block(maps, expanded, name=f"{name}_expand")
    wide = blocks.depthwise_block(wide, expanded, stride, name=name)
    narrow = blocks.projection(wide, filters, use_bias=True, name=f"{name}_project")
    return blocks.residual_sum(maps, narrow, stride, name)


def _paper_bottleneck(
    maps: keras.KerasTensor, expansion: int, filters: int, stride: int, name: str
) -> keras.KerasTensor:
    """Expand (not at expansion 1), depthwise convolution, project, add."""
    wide = maps
    if expansion > 1:
        expanded = expansion * maps.shape[-1]
        wide = blocks.conv_block(
            maps, expanded, activation="relu6", name=f"{name}_expand"
        )
    wide = blocks.depthwise_conv_block(
        wide, stride, activation="relu6", name=f"{name}_depthwise"
    )
    narrow = blocks.projection(wide, filters, use_bias=False, name=f"{name}_project")
    return blocks.residual_sum(maps, narrow, stride, name)
