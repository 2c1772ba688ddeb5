"""OpenVINO reads LiteRT's int8 file, and computes with its integers."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from galaxy_models.errors import ModelFolderError
from galaxy_models.models.card import INT8_NAME, hash_model
from galaxy_models.models.engines import load_engine
from galaxy_models.models.folder import read_card, read_model_file
from galaxy_models.models.litert_outputs import packed
from galaxy_models.models.openvino_int8 import _readable, openvino_int8
from galaxy_models.models.openvino_network import OpenVINONetwork
from galaxy_models.models.sample_galaxies import sample_galaxies

pytestmark = pytest.mark.slow
SHIPPED = ("galaxy-zoo", "galaxy-zoo-small", "galaxy-zoo-detect")


@pytest.mark.parametrize("model", SHIPPED)
def test_integers_say_what_those_of_the_litert_file_say(model: str) -> None:
    card = read_card(model)
    images = sample_galaxies(20, card.decode_rule.image_size)  # two batches and a half
    expected = load_engine("litert-int8", model, card, threads=1)
    found = load_engine("openvino-int8", model, card, threads=1)
    ours, theirs = found.predict(images), expected.predict(images)
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours.argmax(axis=1), theirs.argmax(axis=1))
    np.testing.assert_allclose(ours, theirs, atol=0.15)
    if card.embedding is not None:
        outputs, features = found.predict_with_features(images)
        np.testing.assert_array_equal(outputs, ours)
        _, known = expected.predict_with_features(images)
        lengths = np.linalg.norm(features, axis=1) * np.linalg.norm(known, axis=1)
        assert ((features * known).sum(axis=1) / lengths > 0.97).all()


def test_depthwise_convolutions_have_integers_to_compute_with() -> None:
    card = read_card("galaxy-zoo-small")
    model = openvino_int8(read_model_file("galaxy-zoo-small", card, INT8_NAME))
    depthwise = [
        operation
        for operation in model.get_ops()
        if operation.get_type_name() == "GroupConvolution"
    ]
    assert len(depthwise) == 17  # of MobileNet v2
    for operation in depthwise:  # nothing between the scaled integers and their use
        scaled = operation.input_value(1).get_node()
        integers = scaled.input_value(0).get_node().input_value(0).get_node()
        assert scaled.get_type_name() == "Multiply"
        assert integers.get_element_type().get_type_name() == "i8"


def test_a_file_with_a_second_graph_is_read() -> None:
    from ai_edge_litert import schema_py_generated as schema

    card = read_card("galaxy-zoo-detect")
    data = read_model_file("galaxy-zoo-detect", card, INT8_NAME)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(_readable(data), 0))
    model.subgraphs *= 2
    images = sample_galaxies(12, card.decode_rule.image_size)
    one, two = (
        OpenVINONetwork(openvino_int8(file), 1, "f32").predict(images)
        for file in (data, packed(model))
    )
    np.testing.assert_array_equal(one, two)


def test_in_integers_a_galaxy_s_outputs_do_not_depend_on_the_others() -> None:
    card = read_card("galaxy-zoo-small")
    engine = load_engine("openvino-int8", "galaxy-zoo-small", card, threads=1)
    images = sample_galaxies(12, card.decode_rule.image_size)
    alone = [engine.predict(images[i : i + 1]) for i in range(12)]
    np.testing.assert_array_equal(np.concatenate(alone), engine.predict(images))


def test_a_file_that_is_no_network_is_refused(
    model_folder: str, tmp_path: Path
) -> None:
    card = read_card(model_folder)
    (tmp_path / INT8_NAME).write_bytes(b"no network " * 9)
    file_hash = hash_model((tmp_path / INT8_NAME).read_bytes())
    record = dataclasses.replace(card.litert[INT8_NAME], file_hash=file_hash)
    other = dataclasses.replace(card, litert={INT8_NAME: record})
    with pytest.raises(ModelFolderError, match=rf"{INT8_NAME} in .*: LiteRT cannot"):
        load_engine("openvino-int8", str(tmp_path), other, threads=1)
