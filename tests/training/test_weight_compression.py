"""A smaller model.keras holds the same network, nearly or to the bit."""

from pathlib import Path

import numpy as np
import pytest

from galaxy_models.models.card import MODEL_NAME
from galaxy_models.models.folder import load_network
from galaxy_models.training.weight_compression import pack_model, round_mantissa


@pytest.mark.parametrize("bits", [1, 7, 9, 23])
def test_rounding_goes_to_the_nearest_float_of_so_many_bits(bits: int) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 50)).astype(np.float32) * np.float32(1e-20)
    rounded = round_mantissa(values, bits)
    assert (np.abs(rounded - values) <= 2.0 ** -(bits + 1) * np.abs(values)).all()
    mantissa, _ = np.frexp(rounded)
    assert (mantissa * 2.0 ** (bits + 1) % 1 == 0).all()


def test_floats_of_few_bits_stay_as_they_are() -> None:
    values = np.asarray([0.0, -0.0, 1.0, -1.5, 2.0**-126, 3 * 2.0**100], np.float32)
    np.testing.assert_array_equal(round_mantissa(values, 2), values)


@pytest.mark.slow
def test_a_packed_model_has_the_same_weights_in_a_smaller_file(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    from galaxy_models.models.networks import build_network

    network = build_network("mobilenet_v2_paper", 3, 32, alpha=0.35)
    network.set_weights([round_mantissa(w, 9) for w in network.get_weights()])
    network.save(tmp_path / MODEL_NAME)
    whole = (tmp_path / MODEL_NAME).read_bytes()
    packed = pack_model(whole)
    assert len(packed) < 0.5 * len(whole)
    loaded = load_network(
        packed,
        {
            "name": "mobilenet_v2_paper",
            "num_classes": 3,
            "image_size": 32,
            "alpha": 0.35,
        },
    )
    assert isinstance(loaded, keras.Model)
    for mine, theirs in zip(loaded.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
