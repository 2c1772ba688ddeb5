"""What turns pixels into probabilities inside an actor.

An engine knows a model, not where pixels come from or where probabilities go; these are
the network's own, which the predicting actor calibrates. Only the Keras engine imports
TensorFlow, which costs seconds and 400 MB.
"""

import logging
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from galaxy_models.config import EngineName
from galaxy_models.errors import ModelFolderError
from galaxy_models.models.card import FLOAT_NAME, INT8_NAME, MODEL_NAME, ModelCard
from galaxy_models.models.folder import load_litert, load_model, read_model_file
from galaxy_models.models.heads import HEAD_NAME
from galaxy_models.models.tensorflow_runtime import start_tensorflow

logger = logging.getLogger(__name__)

MIN_INT8_AGREEMENT = 0.99  # of validation galaxies; below it auto predicts in float

LITERT_FILES: dict[EngineName, str] = {
    "litert-int8": INT8_NAME,
    "litert-float": FLOAT_NAME,
}


class Engine(Protocol):
    """Anything that predicts a batch."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict a batch of galaxies.

        Args:
            images: uint8, shape (galaxies, size, size, 3), RGB.

        Returns:
            float32, shape (galaxies, outputs): what the head says, such as
            probabilities that sum to 1.
        """
        ...

    def predict_with_features(
        self, images: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Predict a batch, and give its features from the same pass.

        Args:
            images: as for ``predict``.

        Returns:
            What ``predict`` does; and the input of the network's first dense layer,
            float32, shape (galaxies, features). A LiteRT file gives them only if the
            card has an embedding.
        """
        ...


def choose_engine(
    asked: EngineName | Literal["auto"], card: ModelCard, *, on_gpus: bool
) -> EngineName:
    """Settle which engine predicts.

    Args:
        asked: what ``--engine`` says.
        card: of the model folder.
        on_gpus: whether the predicting actors hold GPUs.

    Raises:
        ModelFolderError: the folder lacks the file of the engine asked for.
    """
    served = [name for name, file in LITERT_FILES.items() if file in card.litert]
    if asked != "auto":
        if asked in LITERT_FILES and asked not in served:
            raise ModelFolderError(
                f"--engine {asked}: the model folder has no {LITERT_FILES[asked]}; it "
                f"can serve {', '.join([*served, 'keras'])}. Training it again adds "
                "the file."
            )
        return asked
    if on_gpus:
        return "keras"
    if "litert-int8" in served and _int8_agrees(card):
        return "litert-int8"
    return "litert-float" if "litert-float" in served else "keras"


def _int8_agrees(card: ModelCard) -> bool:
    return card.litert[INT8_NAME].agreement >= MIN_INT8_AGREEMENT


def explain_engine(
    chosen: EngineName, asked: EngineName | Literal["auto"], card: ModelCard
) -> None:
    """Say why int8 is not used where a CPU would be faster with it."""
    if asked == "auto" and INT8_NAME in card.litert and not _int8_agrees(card):
        logger.info(
            "int8 agrees with the trained model on %.1f %% of the validation galaxies, "
            "less than %.0f %%: %s is used",
            100 * card.litert[INT8_NAME].agreement,
            100 * MIN_INT8_AGREEMENT,
            chosen,
        )


def load_engine(
    name: EngineName,
    model: str,
    card: ModelCard,
    threads: int,
    *,
    on_gpu: bool = False,
) -> Engine:
    """Load a model folder's network into an engine.

    Args:
        name: which engine.
        model: a ``model_reference``.
        card: the model's.
        threads: CPU threads that it may use.
        on_gpu: Keras only: see ``KerasEngine``.

    Raises:
        ModelFolderError: the engine's file does not fit the card.
    """
    if name == "keras":
        return KerasEngine(model, card, threads, on_gpu=on_gpu)
    return load_litert(model, card, LITERT_FILES[name], threads)


def check_engine(name: EngineName, model: str, card: ModelCard) -> None:
    """Refuse a damaged or foreign file before work begins; reads that file once.

    Keras' own loading needs TensorFlow and is left to the actors.

    Raises:
        ModelFolderError: the engine's file does not fit the card.
    """
    if name == "keras":
        read_model_file(model, card, MODEL_NAME)
    else:
        load_litert(model, card, LITERT_FILES[name], threads=1, optimised=False)


class KerasEngine:
    """The trained Keras model, compiled into one TensorFlow function.

    Args:
        model: a ``model_reference``.
        card: the model's.
        threads: CPU threads that it may use.
        on_gpu: use the GPU, in mixed precision (it computes in float16; weights and
            probabilities stay float32).

    Source:
        Micikevicius et al. 2018, arXiv:1710.03740 (mixed precision).
    """

    def __init__(
        self, model: str, card: ModelCard, threads: int, *, on_gpu: bool = False
    ) -> None:
        start_tensorflow(threads, use_gpus=on_gpu)

        import tensorflow as tf

        from galaxy_models.models.networks import with_features_output

        network = load_model(model, card)
        if on_gpu:
            names = [layer.name for layer in network.layers]
            end = names.index(HEAD_NAME) + 1  # what follows stays float32
            for layer in network.layers[1:end]:  # but for the pixels
                layer.dtype_policy = "mixed_float16"
        signature = tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8)

        @tf.function(input_signature=[signature], jit_compile=False)
        def predict(images: Any) -> Any:
            return network(images, training=False)

        both = with_features_output(network)

        @tf.function(input_signature=[signature], jit_compile=False)
        def predict_both(images: Any) -> Any:
            return both(images, training=False)

        self._predict, self._predict_both = predict, predict_both

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict a batch of galaxies; see ``Engine``."""
        return np.asarray(self._predict(images), np.float32)

    def predict_with_features(
        self, images: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Predict a batch, and give its features; see ``Engine``."""
        probabilities, features = self._predict_both(images)
        return np.asarray(probabilities, np.float32), np.asarray(features, np.float32)
