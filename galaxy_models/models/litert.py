"""A LiteRT file in memory -> probabilities and features, without TensorFlow.

Knows neither folders nor cards; ``model_folder`` checks a file against its card.
"""

import numpy as np
from numpy.typing import NDArray

from galaxy_models.errors import ModelFolderError


class LiteRTNetwork:
    """A LiteRT file, run galaxy by galaxy: on CPUs larger batches gain nothing.

    Args:
        data: the file's bytes; it takes one uint8 image and puts out float32
            probabilities.
        threads: CPU threads that it may use.
        optimised: prepare it for speed, which LiteRT announces on stderr; not needed
            to see whether a file can be loaded.

    Raises:
        ModelFolderError: LiteRT cannot load the bytes, or they are no such network.
    """

    def __init__(self, data: bytes, threads: int, *, optimised: bool = True) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        kernels = OpResolverType.AUTO
        if not optimised:
            kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES

        try:
            self._interpreter = Interpreter(
                model_content=data,
                num_threads=threads,
                experimental_op_resolver_type=kernels,
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelFolderError(f"LiteRT cannot load the file: {error}") from error
        images = self._interpreter.get_input_details()
        probabilities, *features = self._interpreter.get_output_details()
        if [images[0]["dtype"], probabilities["dtype"]] != [np.uint8, np.float32]:
            raise ModelFolderError(
                f"the file takes {images[0]['dtype'].__name__} and puts out "
                f"{probabilities['dtype'].__name__}, not uint8 and float32."
            )
        self._input_index: int = images[0]["index"]
        self._output_index: int = probabilities["index"]
        self._features_index: int | None = features[0]["index"] if features else None
        self.input_shape: tuple[int, ...] = tuple(images[0]["shape"].tolist())
        """(1, size, size, 3)."""
        self.num_outputs: int = int(probabilities["shape"].prod())
        self.num_features: int = int(features[0]["shape"].prod()) if features else 0
        """Values of the second output; 0 for a file without."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict some galaxies.

        Args:
            images: uint8, shape (galaxies, size, size, 3), RGB.

        Returns:
            float32, shape (galaxies, classes); rows sum to 1.
        """
        probabilities = np.empty((len(images), self.num_outputs), np.float32)
        for index in range(len(images)):
            self._predict_one(images[index : index + 1], probabilities[index])
        return probabilities

    def predict_with_features(
        self, images: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Predict some galaxies, and give their features from the same pass.

        Args:
            images: as for ``predict``.

        Returns:
            What ``predict`` does; and the features, float32, shape (galaxies,
            num_features).
        """
        probabilities = np.empty((len(images), self.num_outputs), np.float32)
        features = np.empty((len(images), self.num_features), np.float32)
        for index in range(len(images)):
            self._predict_one(images[index : index + 1], probabilities[index])
            found = self._interpreter.get_tensor(self._features_index)
            features[index] = found.ravel()
        return probabilities, features

    def _predict_one(
        self, image: NDArray[np.uint8], probabilities: NDArray[np.float32]
    ) -> None:
        self._interpreter.set_tensor(self._input_index, image)
        self._interpreter.invoke()
        probabilities[:] = self._interpreter.get_tensor(self._output_index)[0]
