"""An OpenVINO network in memory -> outputs and features, without TensorFlow.

Knows neither folders nor cards, nor how the network came about (``openvino_files``,
``openvino_int8``). OpenVINO is an extra of this package; only functions import it.
"""

import importlib.util
import logging
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from galaxy_models.errors import ConfigError, ModelFolderError

logger = logging.getLogger(__name__)

Precision = Literal["f32", "bf16"]
"""OpenVINO's names of what it computes in."""

# Galaxies predicted at once, whatever is asked for. On AVX2 8 and 16 take 0.82 of the
# time of 1, 32 takes 0.9; with AMX 8 to 16 were the fastest. Always as many: so a
# galaxy's outputs do not depend on which others it came with.
BATCH_SIZE = 8


def is_installed() -> bool:
    """Whether this Python has OpenVINO; imports nothing."""
    return importlib.util.find_spec("openvino") is not None


def check_installed(asked: str) -> None:
    """Refuse an engine of OpenVINO's where that is not installed.

    Args:
        asked: the flag and its value, for the message.

    Raises:
        ConfigError: saying how it is installed.
    """
    if not is_installed():
        raise ConfigError(
            f"{asked}: OpenVINO is not installed here; on every machine that predicts, "
            "run `pip install 'galaxy-batch[openvino]'`, or choose another engine."
        )


def has_bf16() -> bool:
    """Whether this processor computes in bfloat16 (AMX, or AVX-512 BF16)."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@lru_cache(maxsize=1)
def core() -> Any:
    """Give this process's OpenVINO, an ``openvino.Core``.

    Raises:
        ConfigError: it is installed, and does not run here.
    """
    try:
        import openvino

        return openvino.Core()
    except (ImportError, OSError, RuntimeError) as error:
        raise ConfigError(
            f"OpenVINO does not run here ({error}); choose another --engine."
        ) from error


def read_graph(graph: bytes, weights: bytes) -> Any:
    """Read OpenVINO's two files.

    Args:
        graph: OpenVINO's XML.
        weights: its file of weights.

    Returns:
        An ``openvino.Model``.

    Raises:
        ModelFolderError: OpenVINO cannot read them.
    """
    try:
        return core().read_model(graph, weights)
    except RuntimeError as error:
        raise ModelFolderError(f"OpenVINO cannot read it: {error}") from error


class OpenVINONetwork:
    """An OpenVINO network, run ``BATCH_SIZE`` galaxies at a time.

    Args:
        model: an ``openvino.Model``: ``BATCH_SIZE`` uint8 images in; float32 outputs
            out, and features if there is a second one.
        threads: CPU threads that it may use.
        precision: what it computes in; outputs are float32. Processors without
            bfloat16 compute in float32, which is said in the log.

    Raises:
        ModelFolderError: OpenVINO cannot load the network.
    """

    def __init__(self, model: Any, threads: int, precision: Precision) -> None:
        if precision == "bf16" and not has_bf16():
            logger.warning("this processor has no bfloat16: it computes in float32")
            precision = "f32"
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            # Else every process and thread of this kind would share the first core.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            compiled = core().compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise ModelFolderError(f"OpenVINO cannot load it: {error}") from error
        self._request = compiled.create_infer_request()
        self.input_shape: tuple[int, ...] = tuple(compiled.inputs[0].shape)
        """(``BATCH_SIZE``, size, size, 3)."""
        outputs, *features = (math.prod(one.shape[1:]) for one in compiled.outputs)
        self.num_outputs: int = outputs
        self.num_features: int = features[0] if features else 0
        """Values of the second output; 0 for a network without."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict some galaxies: see ``engines.Engine``."""
        outputs = np.empty((len(images), self.num_outputs), np.float32)
        self._fill([outputs], images)
        return outputs

    def predict_with_features(
        self, images: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Predict some galaxies, and give their features: see ``engines.Engine``."""
        outputs = np.empty((len(images), self.num_outputs), np.float32)
        features = np.empty((len(images), self.num_features), np.float32)
        self._fill([outputs, features], images)
        return outputs, features

    def _fill(
        self, arrays: Sequence[NDArray[np.float32]], images: NDArray[np.uint8]
    ) -> None:
        """Write the first outputs of some galaxies into arrays."""
        for start in range(0, len(images), BATCH_SIZE):
            batch = images[start : start + BATCH_SIZE]
            self._request.infer([_filled(batch)], share_inputs=True)
            for index, array in enumerate(arrays):
                found = self._request.get_output_tensor(index).data
                rows = found.reshape(BATCH_SIZE, -1)[: len(batch)]
                array[start : start + BATCH_SIZE] = rows


def _filled(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fill a batch up with black images."""
    missing = BATCH_SIZE - len(images)
    if not missing:
        return np.ascontiguousarray(images)
    return np.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0)))
