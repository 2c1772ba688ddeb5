"""Make a trained MobileNet v1 one of fewer channels, that training can start from.

    python infra/models/narrower.py MODEL_FOLDER ALPHA FOLDER

Of each convolution the channels with the largest batch norm scales stay (Liu et al.
2017, arXiv:1708.06519, without their penalty). What is left is wrong until it is
trained, but sooner right than a network of random numbers.
"""

import dataclasses
import sys
from pathlib import Path

import keras
import numpy as np

from galaxy_models.models.card import MODEL_NAME, hash_model
from galaxy_models.models.folder import load_model, read_card, write_card
from galaxy_models.models.heads import HIDDEN_NAME
from galaxy_models.models.networks import build_network

NETWORK = "mobilenet_v1"
COLOURS = 3


def narrow(source: keras.Model, target: keras.Model) -> None:
    """Give a narrower network the most important channels of a wider one, in place."""
    kept = np.arange(COLOURS)
    for layer in source.layers:
        if not layer.name.endswith("_conv"):
            continue
        norm = layer.name.removesuffix("_conv") + "_norm"
        norm_weights = source.get_layer(norm).get_weights()
        kernel = layer.get_weights()[0][:, :, kept]
        if not isinstance(layer, keras.layers.DepthwiseConv2D):
            width = target.get_layer(layer.name).filters
            kept = np.sort(np.argsort(-np.abs(norm_weights[0]))[:width])
            kernel = kernel[..., kept]
        target.get_layer(layer.name).set_weights([kernel])
        target.get_layer(norm).set_weights([values[kept] for values in norm_weights])
    kernel, bias = source.get_layer(HIDDEN_NAME).get_weights()
    target.get_layer(HIDDEN_NAME).set_weights([kernel[kept], bias])
    target.get_layer("logits").set_weights(source.get_layer("logits").get_weights())


def make_folder(model: str, alpha: float, folder: Path) -> None:
    """Write the narrower model's folder."""
    card = read_card(model)
    keras.utils.set_random_seed(0)
    size, num_classes = card.decode_rule.image_size, len(card.classes)
    target = build_network(NETWORK, num_classes, size, alpha)
    narrow(load_model(model, card), target)
    folder.mkdir(parents=True, exist_ok=True)
    target.save(folder / MODEL_NAME)
    card = dataclasses.replace(
        card,
        alpha=alpha,
        model_hash=hash_model((folder / MODEL_NAME).read_bytes()),
        litert={},
        metrics={},
    )
    write_card(str(folder), card)


if __name__ == "__main__":
    make_folder(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))
