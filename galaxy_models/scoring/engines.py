"""What turns pixels into probabilities inside an actor.

An engine knows a model, not where pixels come from or where probabilities go.
"""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from galaxy_models.model_folder import load_model
from galaxy_models.tensorflow_runtime import start_tensorflow


class Engine(Protocol):
    """Anything that predicts a batch."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict a batch of galaxies.

        Args:
            images: uint8, shape (galaxies, size, size, 3), RGB.

        Returns:
            float32, shape (galaxies, classes); rows sum to 1.
        """
        ...


class KerasEngine:
    """The trained Keras model, compiled into one TensorFlow function.

    Args:
        model_uri: a model folder.
        threads: CPU threads that it may use.
    """

    def __init__(self, model_uri: str, threads: int) -> None:
        start_tensorflow(threads)

        import tensorflow as tf

        model = load_model(model_uri)
        signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8)

        @tf.function(input_signature=[signature], jit_compile=False)
        def predict(images: Any) -> Any:
            return model(images, training=False)

        self._predict = predict

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict a batch of galaxies; see ``Engine``."""
        return np.asarray(self._predict(images), np.float32)
