"""The fast layers are Keras' layers, only faster."""

from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
import tensorflow as tf  # noqa: E402

from galaxy_models.models.networks import build_network  # noqa: E402
from galaxy_models.training.fast_layers import (  # noqa: E402
    FusedBatchNormalization,
    PointwiseConv2D,
    is_pointwise,
    with_fast_layers,
)

pytestmark = pytest.mark.slow


def small_network() -> Any:
    images = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(4, 3, use_bias=False)(images)
    maps = keras.layers.BatchNormalization(momentum=0.7, epsilon=0.01)(maps)
    maps = keras.layers.Conv2D(5, 1, use_bias=False, activation="relu")(maps)
    return keras.Model(images, keras.layers.Flatten()(maps))


def trained(network: Any, images: Any) -> tuple[Any, list[Any], list[Any]]:
    """Outputs, gradients and statistics of one call in training."""
    with tf.GradientTape() as tape:
        outputs = network(images, training=True)
        loss = tf.reduce_sum(outputs**3)
    gradients = tape.gradient(loss, network.trainable_variables)
    statistics = [variable.numpy() for variable in network.non_trainable_variables]
    return outputs, [gradient.numpy() for gradient in gradients], statistics


def test_outputs_gradients_and_statistics_are_those_of_keras() -> None:
    network = small_network()
    fused = with_fast_layers(network)
    images = np.random.default_rng(0).uniform(size=(6, 8, 8, 3)).astype(np.float32)
    for _ in range(2):
        theirs, mine = trained(network, images), trained(fused, images)
        np.testing.assert_allclose(mine[0], theirs[0], atol=1e-5)
        for one, other in zip(
            [*mine[1], *mine[2]], [*theirs[1], *theirs[2]], strict=True
        ):
            largest = np.abs(other).max()  # sums of values of that size
            np.testing.assert_allclose(one, other, atol=1e-4 * largest)
    np.testing.assert_allclose(fused(images), network(images), atol=1e-5)


def test_every_batch_norm_of_a_network_is_fused_and_keeps_its_weights() -> None:
    network = build_network("mobilenet_v2_paper", 3, 32, 0.35)
    fused = with_fast_layers(network)
    norms = [
        layer
        for layer in fused.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert norms
    assert {type(layer) for layer in norms} == {FusedBatchNormalization}
    assert [w.path for w in fused.weights] == [w.path for w in network.weights]
    for mine, theirs in zip(fused.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_frozen_layers_keep_their_statistics() -> None:
    fused = with_fast_layers(small_network())
    fused.trainable = False
    before = fused.get_weights()
    fused(np.ones((2, 8, 8, 3), np.float32), training=True)
    for mine, theirs in zip(fused.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_every_1x1_convolution_becomes_a_product_and_no_other() -> None:
    network = build_network("mobilenet_v1", 3, 32)
    products = {
        layer.name
        for layer in with_fast_layers(network).layers
        if isinstance(layer, PointwiseConv2D)
    }
    convolutions = [
        layer for layer in network.layers if type(layer) is keras.layers.Conv2D
    ]
    assert len(products) == 13
    assert products == {
        layer.name for layer in convolutions if layer.kernel_size == (1, 1)
    }


@pytest.mark.parametrize(
    "settings", [{"strides": 2}, {"use_bias": True}, {"groups": 2}, {"kernel_size": 3}]
)
def test_another_convolution_stays_as_it_is(settings: dict[str, Any]) -> None:
    layer = keras.layers.Conv2D(
        **{"filters": 4, "kernel_size": 1, "use_bias": False} | settings
    )
    assert not is_pointwise(layer)
