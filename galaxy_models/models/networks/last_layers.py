"""What follows a network's last weights, where it does not predict classes.

All are layers of Keras' own, without weights, in float32 also in mixed precision.
"""

import keras

from galaxy_models.models.heads import HEAD_NAME, HeadKind

LARGEST_LOGARITHM = 5.0  # of a concentration: they lie between 1/148 and 148


def with_head(network: keras.Model, kind: HeadKind) -> keras.Model:
    """Put other activations behind the logits of a network of classes.

    Args:
        network: any of this package.
        kind: of the head, other than classes.
    """
    logits = network.get_layer(HEAD_NAME).output
    outputs = {"votes": concentrations, "regression": values}[kind](logits)
    return keras.Model(network.input, outputs, name=network.name)


def concentrations(logits: keras.KerasTensor) -> keras.KerasTensor:
    """Exponentials of the logits, held in bounds smoothly.

    So a question's expected fractions are the softmax of its logits while these are
    small, as a classifier's are, and no concentration becomes 0 or infinite.

    Returns:
        float32, shape (images, answers).
    """
    layers = (
        keras.layers.Rescaling(
            1 / LARGEST_LOGARITHM, dtype="float32", name="concentrations_in"
        ),
        keras.layers.Activation("tanh", dtype="float32", name="concentrations_bound"),
        keras.layers.Rescaling(
            LARGEST_LOGARITHM, dtype="float32", name="concentrations_out"
        ),
        keras.layers.Activation("exponential", dtype="float32", name="concentrations"),
    )
    for layer in layers:
        logits = layer(logits)
    return logits


def values(logits: keras.KerasTensor) -> keras.KerasTensor:
    """Pass the logits on as they are, in float32."""
    return keras.layers.Activation("linear", dtype="float32", name="values")(logits)
