"""The step that adds up over workers, held against Keras' own."""

from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from galaxy_models.networks import build_network  # noqa: E402
from galaxy_models.training.data_parallel import (  # noqa: E402
    Collective,
    DataParallelModel,
    data_parallel,
)

pytestmark = pytest.mark.slow

NUM_GALAXIES = 32
SIZE_PX = 32


def examples(num: int = NUM_GALAXIES) -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (num, SIZE_PX, SIZE_PX, 3)).astype(np.uint8)
    return images, (np.arange(num) % 3).astype(np.int32)


def fit_ours(images: Any, labels: Any, weights: Any) -> tuple[Any, Any]:
    keras.utils.set_random_seed(0)
    network = build_network("lenet5", 3, SIZE_PX)
    model = data_parallel(network, Collective(1), 1e-3)
    data = tf.data.Dataset.from_tensor_slices((images, labels, weights)).batch(16)
    history = model.fit(data, validation_data=data, epochs=3, verbose=0)
    return network.get_weights(), history.history


def test_one_worker_trains_bit_for_bit_as_keras_fit_does() -> None:
    images, labels = examples()
    ours, our_history = fit_ours(images, labels, np.ones(NUM_GALAXIES, np.float32))
    keras.utils.set_random_seed(0)
    stock = build_network("lenet5", 3, SIZE_PX)
    stock.compile(
        keras.optimizers.Adam(1e-3),
        "sparse_categorical_crossentropy",
        weighted_metrics=["accuracy"],
        jit_compile=False,
    )
    data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(16)
    history = stock.fit(data, validation_data=data, epochs=3, verbose=0).history
    for mine, theirs in zip(ours, stock.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(our_history[name], history[name], rtol=1e-6)


def test_rows_of_weight_zero_count_nowhere() -> None:
    images, labels = examples(24)
    padding = 8
    padded_images = np.pad(images, [(0, padding), (0, 0), (0, 0), (0, 0)])
    padded_labels = np.pad(labels, (0, padding))
    weights = np.r_[np.ones(24), np.zeros(padding)].astype(np.float32)
    padded, padded_history = fit_ours(padded_images, padded_labels, weights)
    plain, plain_history = fit_ours(images, labels, np.ones(24, np.float32))
    for mine, theirs in zip(padded, plain, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(padded_history[name], plain_history[name], rtol=1e-5)


def test_class_weights_change_the_loss_but_not_what_counts_as_accuracy() -> None:
    images, labels = examples()
    weights = np.where(labels == 0, 5.0, 1.0).astype(np.float32)
    model = data_parallel(build_network("lenet5", 3, SIZE_PX), Collective(1), 1e-3)
    data = tf.data.Dataset.from_tensor_slices((images, labels, weights)).batch(16)
    result = model.evaluate(data, return_dict=True, verbose=0)
    predicted = model.predict(images, verbose=0)
    per_galaxy = -np.log(predicted[np.arange(NUM_GALAXIES), labels])
    assert result["accuracy"] == pytest.approx((predicted.argmax(1) == labels).mean())
    assert result["loss"] == pytest.approx((weights * per_galaxy).mean(), rel=1e-4)


def test_padding_does_not_weigh_regularisation() -> None:
    images, labels = examples(16)
    inputs = keras.Input((SIZE_PX, SIZE_PX, 3))
    outputs = keras.layers.Dense(
        3, "softmax", kernel_regularizer=keras.regularizers.L2(0.1)
    )(keras.layers.GlobalAveragePooling2D()(inputs))
    model = DataParallelModel(inputs, outputs)
    model.collective = Collective(1)
    model.compile(loss="sparse_categorical_crossentropy", jit_compile=False)
    all_count, half_count = np.ones(16, np.float32), np.ones(16, np.float32)
    half_count[8:] = 0
    whole = model.evaluate(
        images[:8], labels[:8], sample_weight=all_count[:8], verbose=0
    )
    padded = model.evaluate(images, labels, sample_weight=half_count, verbose=0)
    assert padded == pytest.approx(whole, rel=1e-5)
