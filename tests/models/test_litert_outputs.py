"""A LiteRT file puts out its features, too, and is otherwise what it was."""

from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from galaxy_models.models.card import FLOAT_NAME, INT8_NAME
from galaxy_models.models.folder import read_card
from galaxy_models.models.litert import LiteRTNetwork
from galaxy_models.models.litert_outputs import with_features
from galaxy_models.models.shipped import FOLDER

SIZE = read_card("galaxy-zoo").decode_rule.image_size
IMAGES = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)


def test_a_file_of_an_older_version_gives_the_same_probabilities_and_features() -> None:
    data = (FOLDER / "galaxy-zoo" / INT8_NAME).read_bytes()
    network = LiteRTNetwork(with_features(data), threads=1)
    probabilities, features = network.predict_with_features(IMAGES)
    np.testing.assert_array_equal(
        probabilities, LiteRTNetwork(data, threads=1).predict(IMAGES)
    )
    assert features.shape == (3, 1024)  # the mean over MobileNet v1's last map
    assert (features >= 0).all() and features.max() > 0
    assert len({tuple(one) for one in features.tolist()}) == 3


@pytest.mark.slow
def test_a_file_that_has_the_output_already_stays_as_it_is(model_folder: str) -> None:
    for name in (FLOAT_NAME, INT8_NAME):
        data = (Path(model_folder) / name).read_bytes()
        assert with_features(data) == data


def test_a_network_without_a_dense_layer_is_refused() -> None:
    data = (FOLDER / "galaxy-zoo" / INT8_NAME).read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    dense = schema.BuiltinOperator.FULLY_CONNECTED
    for code in model.operatorCodes:
        if code.builtinCode == dense:
            code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.ADD
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    with pytest.raises(ValueError, match="the network has no dense layer"):
        with_features(bytes(builder.Output()))
