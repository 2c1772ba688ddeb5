"""Make ImageNet's MobileNet v1 a model folder that training can start from.

    python infra/models/imagenet_mobilenet_v1.py GRAPH FOLDER

GRAPH is a frozen TensorFlow graph (Howard et al. 2017, width 1, 224 px) whose
convolutions and batch norms bear the names of TensorFlow's own model library. Only its
numbers are taken. The last two layers are new: nobody's classes are galaxies'.
"""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.models.card import (
    MODEL_NAME,
    ModelCard,
    hash_model,
    library_versions,
)
from galaxy_models.models.folder import write_card
from galaxy_models.models.networks import build_network

IMAGE_SIZE_PX = 96
CLASSES = ("nothing", "something")  # a model has some; training replaces them
SOURCES = (
    "Conv2d_0",
    *(
        f"Conv2d_{block}_{half}"
        for block in range(1, 14)
        for half in ("depthwise", "pointwise")
    ),
)
"""The graph's layers, in the order of this project's."""

NORM_PARTS = ("gamma", "beta", "moving_mean", "moving_variance")  # as Keras has them

Constants = dict[str, NDArray[np.float32]]


def make_folder(graph: Path, folder: Path) -> None:
    """Write the model folder.

    Raises:
        KeyError: the graph lacks a layer of MobileNet v1.
        ValueError: a layer has another shape.
    """
    keras.utils.set_random_seed(0)
    network = build_network("mobilenet_v1", len(CLASSES), IMAGE_SIZE_PX)
    copy_weights(read_constants(graph), network)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / MODEL_NAME
    network.save(path)
    card = ModelCard(
        network="mobilenet_v1",
        classes=CLASSES,
        decode_rule=DecodeRule(IMAGE_SIZE_PX),
        model_hash=hash_model(path.read_bytes()),
        versions=library_versions(),
    )
    write_card(str(folder), card)


def read_constants(graph: Path) -> Constants:
    """Read a frozen graph's numbers by the names of its nodes; none of it is run."""
    definition = tf.compat.v1.GraphDef()
    definition.ParseFromString(graph.read_bytes())
    return {
        node.name: tf.make_ndarray(node.attr["value"].tensor)
        for node in definition.node
        if node.op == "Const"
    }


def copy_weights(constants: Constants, network: keras.Model) -> None:
    """Give a network the graph's convolutions and batch norms, in place.

    ImageNet's network sees pixels from -1 to 1, this one from 0 to 1: with x = 2p - 1,
    the first convolution's weights double, and its batch norm's mean takes up the rest.
    """
    names = [layer.name for layer in network.layers if layer.weights]
    convolutions = [name for name in names if name.endswith("_conv")]
    norms = [name for name in names if name.endswith("_norm")]
    for source, convolution, norm in zip(SOURCES, convolutions, norms, strict=True):
        kind = "depthwise_weights" if source.endswith("depthwise") else "weights"
        kernel = constants[f"MobilenetV1/{source}/{kind}"]
        parts = {
            name: constants[f"MobilenetV1/{source}/BatchNorm/{name}"]
            for name in NORM_PARTS
        }
        if source == "Conv2d_0":
            parts["moving_mean"] = parts["moving_mean"] + kernel.sum(axis=(0, 1, 2))
            kernel = 2 * kernel
        network.get_layer(convolution).set_weights([kernel])
        network.get_layer(norm).set_weights([parts[name] for name in NORM_PARTS])


if __name__ == "__main__":
    make_folder(Path(sys.argv[1]), Path(sys.argv[2]))
