"""A LiteRT file predicts as the network it was made of."""

import numpy as np
import pytest

from galaxy_models.errors import ModelFolderError
from galaxy_models.models.card import FLOAT_NAME, INT8_NAME
from galaxy_models.models.folder import load_litert, load_model, read_card
from galaxy_models.models.litert import LiteRTNetwork


def random_images(num: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (num, 32, 32, 3), np.uint8)


def test_bytes_that_are_no_litert_file_are_refused() -> None:
    with pytest.raises(ModelFolderError, match="LiteRT cannot load the file"):
        LiteRTNetwork(b"no flatbuffer" * 10, threads=1)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "tolerance"), [(FLOAT_NAME, 1e-4), (INT8_NAME, 0.1)])
def test_a_litert_file_gives_the_probabilities_of_its_network(
    model_folder: str, name: str, tolerance: float
) -> None:
    images = random_images(8)
    network = load_litert(model_folder, read_card(model_folder), name, threads=1)
    probabilities = network.predict(images)
    expected = load_model(model_folder).predict_on_batch(images)
    np.testing.assert_allclose(probabilities, expected, atol=tolerance)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
