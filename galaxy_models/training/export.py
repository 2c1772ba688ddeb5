"""A trained network -> LiteRT files for CPUs, and how well they agree with it.

Full-integer quantisation: int8 weights (a scale for each filter) and int8 activations
(one scale for a whole map), calibrated on training galaxies. One scale for a whole map
is what costs: next to a bright core a spiral arm is a few steps of 255, and the first
convolutions, whose maps are still pictures, lose it. So as few of them as will do stay
in float; the integers begin where light has become features.

The last map before the average over it is the other loss: where a class shows in small
means of a few large values, rounding moves the mean. So the last convolution has
integers for weights, and rounds its input as it comes, but puts out floats.

MobileNet v1 at 96 px (Galaxy Zoo 1 and 2; accuracy on the latter 0.932): share of 826
validation galaxies that keep their class. All in int8 0.971, with 13 leading
convolutions in float 0.972. With floats after the last convolution, and 0, 1, 3, 5, 7
leading ones in float: 0.986, 0.988, 0.993, 0.998, 0.998. What did not help: equal
ranges for all channels (cross-layer equalisation), floats in the dense layers, more
galaxies to calibrate on.

Runs where the network was trained: TensorFlow is imported, and started, there.

Source:
    Jacob et al. 2018, arXiv:1712.05877 (the integer arithmetic).
"""

import re
import tempfile
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from galaxy_models.config import TrainConfig
from galaxy_models.models.card import FLOAT_NAME, INT8_NAME
from galaxy_models.models.embedding import MIN_GALAXIES, to_bytes
from galaxy_models.models.heads import HEAD_NAME, Head
from galaxy_models.models.litert import LiteRTNetwork
from galaxy_models.models.litert_outputs import with_features
from galaxy_models.training.augmentation import central_views
from galaxy_models.training.degradation import degrade, random_degradations
from galaxy_models.training.embedding_fit import MAX_GALAXIES, fit_to_images
from galaxy_models.training.examples import Examples
from galaxy_models.training.result import LiteRTFile

NUM_CALIBRATION = 256  # training galaxies whose maps give the ranges of int8
NUM_TRIAL = 1024  # further training galaxies, on which candidates are compared
FLOAT_LAYERS = (0, 1, 3, 5, 7, 9, 13)  # leading convolutions in float, tried in turn
TRIAL_AGREEMENT = 0.993  # of their classes: above what scoring asks for, as they vary
AFTER_THE_HEAD = r"/concentrations\w*/"  # as ``last_layers`` calls them
BATCH_SIZE = 64  # galaxies; a batch of decoded images is 10 MB at 224 px


def export_litert(
    network: Any,
    training: Examples,
    validation: Examples,
    head: Head,
    config: TrainConfig,
) -> dict[str, LiteRTFile]:
    """Convert a network to LiteRT files, in float and in int8.

    Args:
        network: the finished Keras network.
        training: decoded galaxies to calibrate on.
        validation: decoded galaxies to predict with each file.
        head: what the network's outputs mean.
        config: how training degraded its views; some of these galaxies are degraded
            likewise, so that the integers suit noise and other colours, too.

    Returns:
        The files by name; each puts out the network's features, too.
    """
    float_file = to_litert(network)
    galaxies = _galaxies_to_quantize_on(training, config)
    int8_file, num_float_layers = quantize(network, float_file, galaxies, head)
    return {
        name: LiteRTFile(data, num_layers, _predict(data, validation, head))
        for name, data, num_layers in (
            (FLOAT_NAME, with_features(float_file), 0),
            (INT8_NAME, with_features(int8_file), num_float_layers),
        )
    }


def embed_training_galaxies(
    files: Mapping[str, LiteRTFile], training: Examples, image_size: int
) -> bytes | None:
    """Fit the embedding of a network to the galaxies that it learned from.

    Args:
        files: the network's, of ``export_litert``.
        training: decoded galaxies.
        image_size: side of the network's images (px).

    Returns:
        The file of the model folder; None where the galaxies are too few for one.
    """
    num_galaxies = min(training.num_galaxies, MAX_GALAXIES)
    if num_galaxies < MIN_GALAXIES:
        return None
    batches = (
        training.read(start, min(start + BATCH_SIZE, num_galaxies))["image"]
        for start in range(0, num_galaxies, BATCH_SIZE)
    )
    views = (central_views(images, image_size) for images in batches)
    network = LiteRTNetwork(files[FLOAT_NAME].data, threads=1)
    return to_bytes(fit_to_images(network, views))


def _galaxies_to_quantize_on(
    training: Examples, config: TrainConfig
) -> NDArray[np.uint8]:
    num_galaxies = min(NUM_CALIBRATION + NUM_TRIAL, training.num_galaxies)
    images = training.read(0, num_galaxies)["image"]
    galaxies = central_views(images, config.image_size)
    rng = np.random.default_rng(config.seed)
    amounts = random_degradations(rng, num_galaxies, config)
    return galaxies if amounts is None else degrade(galaxies, amounts)


def to_litert(network: Any) -> bytes:
    """Convert a Keras network to a float LiteRT file for one image at a time."""
    import tensorflow as tf

    signature = tf.TensorSpec((1, *network.input_shape[1:]), tf.uint8, name="images")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FLOAT_NAME
        network.export(
            path, format="litert", verbose=False, input_signature=[signature]
        )
        return path.read_bytes()


def quantize(
    network: Any, float_file: bytes, galaxies: NDArray[np.uint8], head: Head
) -> tuple[bytes, int]:
    """Quantise a network to int8, with as few float layers as keep what it says.

    Where no number of them keeps enough, the best is taken, of equals the most float.

    Args:
        network: the Keras network that ``float_file`` was made of.
        float_file: its LiteRT file.
        galaxies: uint8, shape (galaxies, size, size, 3), training images. The first
            ``NUM_CALIBRATION`` calibrate, the others decide.
        head: says how far two predictions agree.

    Returns:
        The LiteRT file (uint8 in, float32 outputs out), and how many leading
        convolutions it holds in float.
    """
    calibration, trial = galaxies[:NUM_CALIBRATION], galaxies[NUM_CALIBRATION:]
    trial = trial if len(trial) else calibration
    convolutions = _convolution_names(network)
    ranges = _activation_ranges(float_file, convolutions[-1], calibration)
    expected = LiteRTNetwork(float_file, threads=1).predict(trial)
    candidates = []
    for num_float_layers in sorted({min(k, len(convolutions)) for k in FLOAT_LAYERS}):
        kept = convolutions[:num_float_layers]
        int8_file = _quantize_but(float_file, kept, convolutions[-1], ranges)
        found = LiteRTNetwork(int8_file, threads=1).predict(trial)
        agreement = head.agreement(found, expected)
        candidates.append((agreement, int8_file, num_float_layers))
        if agreement >= TRIAL_AGREEMENT:
            break
    _, int8_file, num_float_layers = max(candidates, key=itemgetter(0, 2))
    return int8_file, num_float_layers


def _convolution_names(network: Any) -> list[str]:
    import keras

    kinds = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
    return [layer.name for layer in network.layers if isinstance(layer, kinds)]


def _activation_ranges(float_file: bytes, last: str, images: NDArray[np.uint8]) -> Any:
    """Find the smallest and largest value of every map over some galaxies.

    True extremes, not the quantiser's moving average: that one cuts bright cores off
    (largest difference of a probability 0.43, with extremes 0.15).
    """
    from ai_edge_quantizer import calibrator
    from ai_edge_quantizer.utils import qsv_utils

    calibration = calibrator.Calibrator(
        float_file, num_threads=1, qsv_update_func=qsv_utils.min_max_update
    )
    (signature,) = calibration.get_signature_list()
    samples = [{"images": images[i : i + 1]} for i in range(len(images))]
    calibration.calibrate({signature: samples}, _recipe([], last))
    return calibration.get_model_qsvs()


def _recipe(float_layers: Sequence[str], last: str) -> Any:
    """Say what is quantised and how, in the quantiser's terms.

    Args:
        float_layers: layers that stay as they are.
        last: the convolution of integer weights that puts out floats.
    """
    from ai_edge_quantizer import recipe_manager
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import TFLOperationName as Operation

    recipe = recipe_manager.RecipeManager()
    recipe.add_static_config(".*", Operation.ALL_SUPPORTED, 8, 8)
    recipe.add_dynamic_config(_layer(last), Operation.CONV_2D, 8)
    # The softmax of int8 logits would come in steps of several per cent.
    for pattern, operation in (
        (".*", Operation.SOFTMAX),
        (".*", Operation.AVERAGE_POOL_2D),
        (".*", Operation.OUTPUT),
        *((_layer(name), Operation.ALL_SUPPORTED) for name in float_layers),
        (_layer(HEAD_NAME), Operation.ALL_SUPPORTED),
        (AFTER_THE_HEAD, Operation.ALL_SUPPORTED),
    ):
        recipe.add_quantization_config(
            pattern, operation, algorithm_key=AlgorithmName.NO_QUANTIZE
        )
    return recipe


def _layer(name: str) -> str:
    """A pattern of a layer's operations."""
    return rf"/{re.escape(name)}(_\d+)?/"


def _quantize_but(
    float_file: bytes, float_layers: Sequence[str], last: str, ranges: Any
) -> bytes:
    """Quantise all but some layers; see ``_recipe``."""
    from ai_edge_quantizer import Quantizer

    quantizer = Quantizer(float_file)
    recipe = _recipe(float_layers, last)
    quantizer.load_quantization_recipe(recipe.get_quantization_recipe())
    result = quantizer.quantize(
        ranges, enable_progress_bar=False, enable_progress_report=False
    )
    return bytes(result.quantized_model)


def _predict(data: bytes, validation: Examples, head: Head) -> DataFrame:
    """Predict the validation galaxies with a LiteRT file."""
    network = LiteRTNetwork(data, threads=1)
    object_ids, found = [], []
    for batch in validation.batches(BATCH_SIZE):
        object_ids.extend(batch["object_id"].tolist())
        found.append(network.predict(batch["image"]))
    table = DataFrame(np.concatenate(found), columns=list(head.output_names))
    table.insert(0, "object_id", object_ids)
    return table
