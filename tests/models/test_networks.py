"""The networks have the published sizes and keep their contract."""

from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from galaxy_models.errors import ConfigError
from galaxy_models.models.networks import (
    BATCH_NORM_MOMENTUM,
    NETWORKS,
    blocks,
    build_network,
    count_multiply_adds,
)
from galaxy_models.models.networks.blocks import scaled_filters

SMALL_SIZES = (32, 64, 100)  # px; these run a forward pass
LARGE_SIZES = (128, 160, 224, 256)  # px; these are built only
MOBILENETS = tuple(name for name in NETWORKS if name.startswith("mobilenet"))
NUM_CLASSES = 6


@cache
def network_at(name: str, image_size: int) -> keras.Model:
    return build_network(name, NUM_CLASSES, image_size)


def random_images(image_size: int, seed: int = 0) -> NDArray[np.uint8]:
    shape = (2, image_size, image_size, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def backbone(network: keras.Model) -> keras.Model:
    return keras.Model(network.input, network.get_layer("features_relu6").output)


def count_convolutions(network: keras.Model) -> int:
    return sum(isinstance(layer, keras.layers.Conv2D) for layer in network.layers)


def test_mobilenet_v1_has_the_blogs_parameter_count() -> None:
    assert network_at("mobilenet_v1", 224).count_params() == 4_259_870


def test_mobilenet_v2_has_the_blogs_parameter_count() -> None:
    assert network_at("mobilenet_v2", 224).count_params() == 8_088_446


def test_mobilenet_v1_costs_the_blogs_multiply_adds() -> None:
    assert count_multiply_adds(network_at("mobilenet_v1", 224)) == 568_746_352


def test_mobilenet_v2_costs_the_blogs_multiply_adds() -> None:
    assert count_multiply_adds(network_at("mobilenet_v2", 224)) == 899_078_896


def test_paper_backbone_has_the_known_parameter_count() -> None:
    network = network_at("mobilenet_v2_paper", 224)
    assert backbone(network).count_params() == 2_257_984


def test_paper_network_costs_the_papers_300_million_multiply_adds() -> None:
    multiply_adds = count_multiply_adds(network_at("mobilenet_v2_paper", 224))
    assert multiply_adds == pytest.approx(300e6, rel=0.01)


def test_paper_backbone_computes_what_keras_applications_computes() -> None:
    ours = backbone(network_at("mobilenet_v2_paper", 64))
    theirs = keras.applications.MobileNetV2(
        (64, 64, 3), include_top=False, weights=None
    )
    rng = np.random.default_rng(0)
    theirs.set_weights(
        [weights * rng.uniform(1, 3, weights.shape) for weights in theirs.get_weights()]
    )
    ours.set_weights(theirs.get_weights())
    images = random_images(64)
    expected = np.asarray(theirs(images.astype(np.float32) / 255))
    assert expected.std() > 0.01
    np.testing.assert_allclose(ours(images), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("alpha", [0.35, 1.4])
def test_paper_backbone_has_the_known_parameter_count_at_other_widths(
    alpha: float,
) -> None:
    ours = build_network("mobilenet_v2_paper", 2, 32, alpha)
    theirs = keras.applications.MobileNetV2(
        (32, 32, 3), alpha=alpha, include_top=False, weights=None
    )
    assert backbone(ours).count_params() == theirs.count_params()


def test_without_a_hidden_layer_the_paper_network_has_the_known_parameter_count() -> (
    None
):
    ours = build_network("mobilenet_v2_paper", 5, 32, 0.35, hidden_units=0)
    theirs = keras.applications.MobileNetV2(
        (32, 32, 3), alpha=0.35, classes=5, weights=None
    )
    assert ours.count_params() == theirs.count_params()


@pytest.mark.parametrize(
    ("name", "hidden_units", "message"),
    [
        ("mobilenet_v1", -1, r"0 or more; received -1\. Choose 1000, or 0 for no"),
        ("lenet5", 0, r"'lenet5' has its own .* hidden_units=0\. Leave .* at 1000"),
    ],
)
def test_a_hidden_layer_that_cannot_be_is_refused(
    name: str, hidden_units: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build_network(name, 6, 32, hidden_units=hidden_units)


def test_last_features_do_not_shrink_with_alpha() -> None:
    network = build_network("mobilenet_v2_paper", 2, 32, alpha=0.5)
    assert network.get_layer("features_conv").filters == 1280


@pytest.mark.parametrize(
    ("filters", "alpha", "expected"),
    [(32, 1.0, 32), (16, 0.1, 8), (24, 0.5, 16), (24, 0.75, 24), (16, 1.4, 24)],
)
def test_scaled_filters_are_multiples_of_8_and_at_least_90_percent(
    filters: int, alpha: float, expected: int
) -> None:
    assert scaled_filters(filters, alpha) == expected


def test_blog_bottleneck_has_one_more_convolution_than_the_papers() -> None:
    blog = count_convolutions(network_at("mobilenet_v2", 64))
    paper = count_convolutions(network_at("mobilenet_v2_paper", 64))
    assert blog - paper == 17 + 1  # one a bottleneck, and the expansion by 1


def test_paper_bottlenecks_are_linear() -> None:
    network = network_at("mobilenet_v2_paper", 64)
    block_input, block_output = network.get_layer("block_2_2_add").input
    assert block_input is network.get_layer("block_2_1_project_norm").output
    assert block_output is network.get_layer("block_2_2_project_norm").output


def test_lenet5_at_its_design_size_has_the_hand_counted_size() -> None:
    network = network_at("lenet5", 32)
    conv = (5 * 5 * 3 + 1) * 6 + (5 * 5 * 6 + 1) * 16
    dense = (5 * 5 * 16 + 1) * 120 + (120 + 1) * 84 + (84 + 1) * NUM_CLASSES
    assert network.count_params() == conv + dense


def test_lenet5_does_not_grow_with_the_image() -> None:
    sizes = {network_at("lenet5", size).count_params() for size in (32, 100, 256)}
    assert len(sizes) == 1


def test_multiply_adds_match_a_count_by_hand() -> None:
    inputs = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(4, 3, 2, padding="same")(inputs)
    maps = keras.layers.DepthwiseConv2D(3)(maps)
    outputs = keras.layers.Dense(5)(keras.layers.Flatten()(maps))
    by_hand = (4 * 4) * 3 * 3 * 3 * 4 + (2 * 2) * 3 * 3 * 4 + 2 * 2 * 4 * 5
    assert count_multiply_adds(keras.Model(inputs, outputs)) == by_hand


@pytest.mark.parametrize("image_size", SMALL_SIZES)
@pytest.mark.parametrize("name", NETWORKS)
def test_probabilities_are_float32_and_sum_to_one(name: str, image_size: int) -> None:
    probabilities = np.asarray(network_at(name, image_size)(random_images(image_size)))
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (2, NUM_CLASSES)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("image_size", LARGE_SIZES)
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_build_at_large_sizes(name: str, image_size: int) -> None:
    network = network_at(name, image_size)
    assert network.input_shape == (None, image_size, image_size, 3)
    assert network.output_shape == (None, NUM_CLASSES)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_bear_their_own_name(name: str) -> None:
    assert network_at(name, 32).name == name


@pytest.mark.parametrize("name", NETWORKS)
def test_uint8_goes_in_and_is_rescaled_first(name: str) -> None:
    network = network_at(name, 32)
    assert network.input.dtype == "uint8"
    assert isinstance(network.layers[1], keras.layers.Rescaling)
    rescaled = network.layers[1](np.array([0, 51, 255], dtype=np.uint8))
    np.testing.assert_allclose(rescaled, [0, 0.2, 1], rtol=1e-6)


def test_float_images_are_truncated_to_whole_numbers() -> None:
    network, images = network_at("lenet5", 32), random_images(32)
    np.testing.assert_array_equal(
        network(np.minimum(images + 0.9, 255)), network(images)
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_probabilities_stay_float32_in_mixed_precision(name: str) -> None:
    policy = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        network = build_network(name, NUM_CLASSES, 32)
    finally:
        keras.mixed_precision.set_dtype_policy(policy)
    assert network.get_layer("logits").compute_dtype == "float16"
    probabilities = np.asarray(network(random_images(32)))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_saved_network_loads_in_safe_mode_and_answers_the_same(
    name: str, tmp_path: Path
) -> None:
    network, images = network_at(name, 32), random_images(32)
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert loaded.input.dtype == "uint8"
    np.testing.assert_array_equal(loaded(images), network(images))


@pytest.mark.parametrize("name", MOBILENETS)
def test_every_batch_norm_has_the_chosen_momentum(name: str) -> None:
    momenta = {
        layer.momentum
        for layer in network_at(name, 32).layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    assert momenta == {BATCH_NORM_MOMENTUM}


def test_moving_statistics_settle_within_60_steps_on_dark_images() -> None:
    inputs = keras.Input((8, 8, 3))
    network = keras.Model(inputs, blocks.conv_block(inputs, 4, 3, name="stem"))
    dark = np.random.default_rng(0).exponential(0.02, (16, 8, 8, 3))
    for _ in range(60):
        network(dark, training=True)
    true_variance = np.var(network.get_layer("stem_conv")(dark), axis=(0, 1, 2))
    moving_variance = network.get_layer("stem_norm").moving_variance
    excess = np.asarray(moving_variance) - true_variance
    assert np.all(np.abs(excess) < 0.01)  # it starts at 1


def test_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'resnet'") as caught:
        build_network("resnet", 6, 224)
    assert all(name in str(caught.value) for name in NETWORKS)


@pytest.mark.parametrize("name", NETWORKS)
def test_size_under_32_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"at least 32 px .* image_size=31\. Choose"):
        build_network(name, 6, 31)


@pytest.mark.parametrize("num_classes", [1, 0, -3])
def test_fewer_than_2_classes_are_refused(num_classes: int) -> None:
    message = rf"at least 2 classes; received num_classes={num_classes}\. Give"
    with pytest.raises(ConfigError, match=message):
        build_network("lenet5", num_classes, 32)


def test_half_of_mobilenet_v1_is_keras_applications_half() -> None:
    ours = build_network("mobilenet_v1", 2, 32, alpha=0.5)
    theirs = keras.applications.MobileNet(
        (32, 32, 3), alpha=0.5, include_top=False, weights=None
    )
    maps = keras.Model(ours.input, ours.get_layer("head_pool").output)
    assert maps.count_params() == theirs.count_params()


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan"), float("inf")])
def test_alpha_that_is_no_width_is_refused(alpha: float) -> None:
    message = rf"above 0 and finite; received alpha={alpha}\. Choose"
    with pytest.raises(ConfigError, match=message):
        build_network("mobilenet_v2_paper", 6, 32, alpha)


@pytest.mark.parametrize("name", ["mobilenet_v2", "lenet5"])
def test_alpha_is_refused_where_there_is_one_width(name: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"'{name}' .* alpha=0\.5\. .* mobilenet_v2_paper"
    ):
        build_network(name, 6, 32, alpha=0.5)
