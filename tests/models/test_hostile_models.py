"""A stranger's model folder runs nothing here, and is refused in a line.

Each attack would make a file, or read one that is not its own, were it followed.
"""

import dataclasses
import io
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from galaxy_models.config import ScoreConfig
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.errors import ModelFolderError
from galaxy_models.models.card import MODEL_NAME, ModelCard, hash_model
from galaxy_models.models.folder import load_model, read_card, write_card
from galaxy_models.models.litert import LiteRTNetwork
from galaxy_models.scoring import score
from galaxy_models.simulation import Survey

pytestmark = pytest.mark.slow

CLASSES = ("cigar", "round", "spiral")
SIZE_PX = 32
WEIGHT = "layers/conv2d/vars/0"
SECRET = 0.25  # every weight of a file that is not the model's


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.path,)


def write_folder(folder: Path, model: bytes) -> str:
    folder.mkdir(parents=True)
    (folder / MODEL_NAME).write_bytes(model)
    rule = DecodeRule(SIZE_PX)
    write_card(str(folder), ModelCard("lenet5", CLASSES, rule, hash_model(model)))
    return str(folder)


def rewritten(model: bytes, **members: bytes) -> bytes:
    """Replace files of an archive, and add others."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(model)) as source,
        zipfile.ZipFile(stream, "w") as target,
    ):
        contents = {name: source.read(name) for name in source.namelist()}
        for name, content in (contents | members).items():
            target.writestr(name, content)
    return stream.getvalue()


@pytest.fixture(scope="module")
def good_model(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An honest ``model.keras``."""
    from galaxy_models.models.networks import build_network

    path = tmp_path_factory.mktemp("good") / MODEL_NAME
    build_network("lenet5", len(CLASSES), SIZE_PX).save(path)
    return path.read_bytes()


def with_layer(layer: Any, folder: Path) -> bytes:
    """The bytes of a network that ends in a layer of somebody's own."""
    import keras

    from galaxy_models.models.networks import build_network

    honest = build_network("lenet5", len(CLASSES), SIZE_PX)
    network = keras.Model(honest.input, layer(honest.output), name="lenet5")
    network.save(folder / MODEL_NAME)
    return (folder / MODEL_NAME).read_bytes()


def python_code(marker: Path, folder: Path, _good: bytes) -> bytes:
    """A lambda, stored as Python's byte code."""
    import keras

    path = str(marker)
    layer = keras.layers.Lambda(
        lambda x: (__import__("pathlib").Path(path).touch(), x)[1],
        output_shape=(len(CLASSES),),
    )
    return with_layer(layer, folder)


def tensorflow_graph(marker: Path, folder: Path, _good: bytes) -> bytes:
    """A graph of TensorFlow's beside the model, with an operation that writes files."""
    import keras
    import tensorflow as tf

    class Writer(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, len(CLASSES)))])
        def serve(self, x: Any) -> Any:
            tf.io.write_file(str(marker), "")
            return x

    writer = Writer()
    tf.saved_model.save(writer, folder / "graph", signatures={"serve": writer.serve})
    layer = keras.layers.TFSMLayer(str(folder / "graph"), call_endpoint="serve")
    return with_layer(layer, folder)


def other_files_named(marker: Path, folder: Path, good: bytes) -> bytes:
    """Names in the archive that lead out of it, and one network under another's name.

    The network would be honest, had it been asked for.
    """
    del folder
    config = json.loads(zipfile.ZipFile(io.BytesIO(good)).read("config.json"))
    config["config"]["layers"][2]["config"]["name"] = "evil\n"
    return rewritten(
        good,
        **{f"../../{marker.name}": b"", str(marker): b""},
        **{"config.json": json.dumps(config).encode()},
    )


def pickled(marker: Path, folder: Path, _good: bytes) -> bytes:
    """No archive, but what older frameworks keep models in."""
    del folder
    return pickle.dumps(Touch(marker))


def pickled_weights(marker: Path, folder: Path, good: bytes) -> bytes:
    """The same in the place of the weights."""
    return rewritten(good, **{"model.weights.h5": pickled(marker, folder, good)})


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (python_code, r"it has 'lambda \(Lambda\)' where lenet5 has 'nothing'"),
        (tensorflow_graph, r"'tfsm_layer \(TFSMLayer\)' where lenet5 has 'nothing'"),
        (other_files_named, r"it has 'evil\\n \(AveragePooling2D\)' where"),
        (pickled, r"no file of Keras' \(File is not a zip file\)"),
        (pickled_weights, r"its weights cannot be read"),
    ],
)
def test_a_network_that_brings_its_own_code_is_refused_in_a_line(
    attack: Callable[[Path, Path, bytes], bytes],
    message: str,
    good_model: bytes,
    tmp_path: Path,
) -> None:
    marker = tmp_path / "marker"
    model = write_folder(tmp_path / "model", attack(marker, tmp_path, good_model))
    assert not marker.exists()

    with pytest.raises(ModelFolderError, match=message) as refusal:
        try:
            network = load_model(model)
            network.predict_on_batch(np.zeros((1, SIZE_PX, SIZE_PX, 3), np.uint8))
        finally:
            assert not marker.exists()

    assert f"{MODEL_NAME} in {model} is not the lenet5" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_actor_that_refuses_a_network_ends_the_job_in_a_line(
    ray_here: None, model_folder: str, labelled: Survey, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger"
    shutil.copytree(model_folder, stranger)
    honest = (stranger / MODEL_NAME).read_bytes()
    config = zipfile.ZipFile(io.BytesIO(honest)).read("config.json")
    config = config.replace(b'"AveragePooling2D"', b'"Lambda"')
    model = rewritten(honest, **{"config.json": config})
    (stranger / MODEL_NAME).write_bytes(model)
    card = dataclasses.replace(read_card(model_folder), model_hash=hash_model(model))
    write_card(str(stranger), card)

    with pytest.raises(
        ModelFolderError, match=r"it has 'shrink \(Lambda\)'"
    ) as refusal:
        score(
            ScoreConfig(
                catalog=str(labelled.catalog),
                model=str(stranger),
                output=str(tmp_path / "out"),
                engine="keras",
            )
        )
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("way", ["a link", "external storage", "a virtual dataset"])
def test_weights_are_not_read_from_another_file(
    way: str, good_model: bytes, tmp_path: Path
) -> None:
    weights = tmp_path / "model.weights.h5"
    weights.write_bytes(
        zipfile.ZipFile(io.BytesIO(good_model)).read("model.weights.h5")
    )
    other = tmp_path / "other.h5"
    with h5py.File(weights, "r+") as file:
        shape = file[WEIGHT].shape
        values = np.full(shape, SECRET, np.float32)
        with h5py.File(other, "w", libver="latest") as secret:
            secret["secret"] = values
        (tmp_path / "other.raw").write_bytes(values.tobytes())
        del file[WEIGHT]
        if way == "a link":
            file[WEIGHT] = h5py.ExternalLink(str(other), "secret")
        elif way == "external storage":
            raw = [(str(tmp_path / "other.raw"), 0, values.nbytes)]
            file.create_dataset(WEIGHT, shape, np.float32, external=raw)
        else:
            layout = h5py.VirtualLayout(shape, np.float32)
            layout[...] = h5py.VirtualSource(str(other), "secret", shape)
            file.create_virtual_dataset(WEIGHT, layout)
    with h5py.File(weights) as file:
        assert (file[WEIGHT][...] == SECRET).all()  # HDF5 itself follows it
    data = rewritten(good_model, **{"model.weights.h5": weights.read_bytes()})
    model = write_folder(tmp_path / "model", data)

    with pytest.raises(ModelFolderError, match="Not allowed: H5 file with"):
        load_model(model)


def test_what_unpacks_to_too_much_is_refused(
    good_model: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("galaxy_models.models.keras_weights.MAX_MEMBER_BYTES", 2**16)
    model = write_folder(tmp_path / "model", good_model)

    with pytest.raises(ModelFolderError, match=r"model\.weights\.h5 in it has \d+ by"):
        load_model(model)


def test_a_litert_file_with_an_operation_of_its_own_is_refused() -> None:
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, SIZE_PX, SIZE_PX, 3), tf.uint8)])
    def network(images: Any) -> Any:
        tf.io.write_file("marker", "")
        return tf.cast(images[:, 0, 0], tf.float32) / 255

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [network.get_concrete_function()]
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.SELECT_TF_OPS]
    data = converter.convert()
    assert b"FlexWriteFile" in data

    with pytest.raises(ModelFolderError, match="LiteRT cannot load the file"):
        LiteRTNetwork(data, threads=1)
