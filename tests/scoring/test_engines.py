"""Every engine gives the probabilities of the trained model."""

import numpy as np
import pytest

from galaxy_models.model_folder import load_model
from galaxy_models.scoring.engines import KerasEngine, load_engine

pytestmark = pytest.mark.slow
IMAGES = np.random.default_rng(1).integers(0, 256, (12, 32, 32, 3), np.uint8)


@pytest.mark.parametrize(
    ("name", "tolerance"), [("keras", 1e-5), ("litert-float", 1e-4)]
)
def test_float_engines_give_the_model_s_probabilities(
    model_folder: str, name: str, tolerance: float
) -> None:
    engine = load_engine(name, model_folder, threads=1)  # type: ignore[arg-type]
    expected = load_model(model_folder).predict_on_batch(IMAGES)
    np.testing.assert_allclose(engine.predict(IMAGES), expected, atol=tolerance)


def test_mixed_precision_computes_in_float16_and_answers_in_float32(
    model_folder: str,
) -> None:
    probabilities = KerasEngine(model_folder, 1, on_gpu=True).predict(IMAGES)
    expected = load_model(model_folder).predict_on_batch(IMAGES)
    difference = np.abs(probabilities - expected).max()
    assert 0 < difference < 1e-2  # none at all would mean float32
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
