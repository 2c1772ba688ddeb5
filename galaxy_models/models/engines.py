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
from galaxy_models.config.score import OPENVINO_ENGINES
from galaxy_models.errors import ModelFolderError
from galaxy_models.models.card import (
    FLOAT_NAME,
    INT8_NAME,
    MIN_AGREEMENT,
    MODEL_NAME,
    ModelCard,
)
from galaxy_models.models.folder import load_litert, load_model, read_model_file
from galaxy_models.models.heads import HEAD_NAME
from galaxy_models.models.openvino_files import load_openvino, openvino_files
from galaxy_models.models.openvino_network import check_installed, is_installed
from galaxy_models.models.tensorflow_runtime import start_tensorflow

logger = logging.getLogger(__name__)

LITERT_FILES: dict[EngineName, str] = {
    "litert-int8": INT8_NAME,
    "litert-float": FLOAT_NAME,
}
# Without which an engine has nothing to run.
NEEDED_FILES: dict[EngineName, str] = {**LITERT_FILES, "openvino-int8": INT8_NAME}


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
    """Settle which engine predicts, without measuring.

    Args:
        asked: what ``--engine`` says.
        card: of the model folder.
        on_gpus: whether the predicting actors hold GPUs.

    Raises:
        ModelFolderError: the folder lacks the file of the engine asked for.
        ConfigError: the engine asked for is not installed.
    """
    served = [name for name, file in LITERT_FILES.items() if file in card.litert]
    if asked != "auto":
        file = NEEDED_FILES.get(asked)
        if file is not None and file not in card.litert:
            raise ModelFolderError(
                f"--engine {asked}: the model folder has no {file}; it can serve "
                f"{', '.join([*served, 'keras'])}. Training it again adds the file."
            )
        if asked in OPENVINO_ENGINES:
            check_installed(f"--engine {asked}")
        return asked
    if on_gpus:
        return "keras"
    if "litert-int8" in served and card.litert[INT8_NAME].agrees:
        return "litert-int8"
    return "litert-float" if "litert-float" in served else "keras"


def cpu_candidates(card: ModelCard) -> list[EngineName]:
    """Name the engines between which measuring may decide on CPUs.

    Those of LiteRT whose files agree, and those of OpenVINO if it is installed, the
    integers likewise. Keras is none: it has never been the fastest there.
    """

    def may_serve(name: EngineName) -> bool:
        file = NEEDED_FILES.get(name)
        return file is None or (file in card.litert and card.litert[file].agrees)

    openvino = OPENVINO_ENGINES if is_installed() else ()
    return [name for name in (*LITERT_FILES, *openvino) if may_serve(name)]


def explain_engine(
    chosen: EngineName, asked: EngineName | Literal["auto"], card: ModelCard
) -> None:
    """Say why int8 is not used where a CPU would be faster with it."""
    if asked == "auto" and INT8_NAME in card.litert:
        int8 = card.litert[INT8_NAME]
        if not int8.agrees:
            logger.info(
                "int8 agrees with the trained model on %.1f %% of the validation "
                "galaxies, less than %.0f %%: %s is used",
                100 * int8.agreement,
                100 * MIN_AGREEMENT,
                chosen,
            )


def agreement_of(name: EngineName, model: str, card: ModelCard) -> float | None:
    """Say how far an engine says what the trained network says, 0 to 1.

    Args:
        name: which engine.
        model: a ``model_reference``.
        card: the model's.

    Returns:
        Of LiteRT the card's figure, on the validation galaxies; of OpenVINO that of
        made-up galaxies, None where this processor cannot run it. Keras is the
        network.

    Raises:
        ConfigError: OpenVINO is not installed.
        ModelFolderError: OpenVINO cannot take the network.
    """
    if name in LITERT_FILES:
        return card.litert[LITERT_FILES[name]].agreement
    if name in OPENVINO_ENGINES:
        return openvino_files(model, card).agreements.get(name)
    return 1.0


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
        ConfigError: the engine is not installed.
    """
    if name == "keras":
        return KerasEngine(model, card, threads, on_gpu=on_gpu)
    if name in OPENVINO_ENGINES:
        return load_openvino(model, card, name, threads)
    return load_litert(model, card, LITERT_FILES[name], threads)


def check_engine(name: EngineName, model: str, card: ModelCard) -> None:
    """Refuse a damaged or foreign file before work begins; reads that file once.

    An engine that says too often what the trained network does not say is there only
    because it was asked for by name; the log says so. Keras' own loading needs
    TensorFlow and is left to the actors.

    Raises:
        ModelFolderError: the engine's file does not fit the card.
        ConfigError: the engine is not installed.
    """
    if name == "keras":
        read_model_file(model, card, MODEL_NAME)
    elif name in OPENVINO_ENGINES:
        same = "openvino-float" if name == "openvino-bf16" else name  # without a line
        load_openvino(model, card, same, threads=1)
    else:
        load_litert(model, card, LITERT_FILES[name], threads=1, optimised=False)
    agreement = agreement_of(name, model, card)
    if agreement is not None and agreement < MIN_AGREEMENT:
        logger.warning(
            "%s agrees with the trained model on %.1f %% of galaxies only, and is used "
            "because it was asked for; auto chooses one that agrees on %.0f %%",
            name,
            100 * agreement,
            100 * MIN_AGREEMENT,
        )


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
