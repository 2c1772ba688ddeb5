"""ImageNet's weights, taken from a graph of TensorFlow's names into a model folder."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from galaxy_models.models.folder import load_model, read_card

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "infra" / "models" / "imagenet_mobilenet_v1.py"
WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
pytestmark = pytest.mark.slow


def constants() -> dict[str, np.ndarray]:
    """Numbers of MobileNet v1 under their names in TensorFlow's model library."""
    rng = np.random.default_rng(8)
    shapes = {"Conv2d_0": (3, 3, 3, 32)}
    channels = 32
    for block, width in enumerate(WIDTHS, start=1):
        shapes[f"Conv2d_{block}_depthwise"] = (3, 3, channels, 1)
        shapes[f"Conv2d_{block}_pointwise"] = (1, 1, channels, width)
        channels = width
    found = {}
    for name, shape in shapes.items():
        is_depthwise = name.endswith("depthwise")
        kind = "depthwise_weights" if is_depthwise else "weights"
        norm = shape[2] if is_depthwise else shape[3]
        found[f"MobilenetV1/{name}/{kind}"] = rng.normal(size=shape)
        for part in ("gamma", "beta", "moving_mean", "moving_variance"):
            found[f"MobilenetV1/{name}/BatchNorm/{part}"] = rng.uniform(1, 2, norm)
    return {name: value.astype(np.float32) for name, value in found.items()}


def write_graph(path: Path, numbers: dict[str, np.ndarray]) -> Path:
    graph = tf.compat.v1.GraphDef()
    for name, value in numbers.items():
        node = graph.node.add(op="Const", name=name)
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    path.write_bytes(graph.SerializeToString())
    return path


def convert(graph: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(graph), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_graph_s_numbers_answer_pixels_from_0_to_1_as_they_did_from_minus_1_to_1(
    tmp_path: Path,
) -> None:
    numbers = constants()
    finished = convert(write_graph(tmp_path / "g.pb", numbers), tmp_path / "model")
    assert finished.returncode == 0, finished.stderr

    network = load_model(str(tmp_path / "model"))

    assert read_card(str(tmp_path / "model")).network == "mobilenet_v1"
    pixels = np.random.default_rng(9).random((1, 8, 8, 3), np.float32)
    stem = {
        part: numbers[f"MobilenetV1/Conv2d_0/BatchNorm/{part}"]
        for part in ("gamma", "beta", "moving_mean", "moving_variance")
    }
    kernel = numbers["MobilenetV1/Conv2d_0/weights"]
    there = tf.nn.conv2d(2 * pixels - 1, kernel, 2, "VALID").numpy()
    deviation = np.sqrt(stem["moving_variance"] + 1e-3)
    expected = (there - stem["moving_mean"]) / deviation * stem["gamma"] + stem["beta"]
    convolution, norm = map(network.get_layer, ("stem_conv", "stem_norm"))
    here = tf.nn.conv2d(pixels, convolution.get_weights()[0], 2, "VALID")
    np.testing.assert_allclose(norm(here).numpy(), expected, rtol=1e-4, atol=1e-4)

    last = network.get_layer("block_9_1_pointwise_conv").get_weights()[0]
    np.testing.assert_array_equal(
        last, numbers["MobilenetV1/Conv2d_13_pointwise/weights"]
    )


def test_a_graph_of_something_else_is_refused_by_the_layer_that_it_lacks(
    tmp_path: Path,
) -> None:
    numbers = constants()
    del numbers["MobilenetV1/Conv2d_7_depthwise/depthwise_weights"]
    finished = convert(write_graph(tmp_path / "g.pb", numbers), tmp_path / "model")
    assert finished.returncode != 0
    assert "MobilenetV1/Conv2d_7_depthwise/depthwise_weights" in finished.stderr
    assert not (tmp_path / "model").exists()
