"""The training step of one worker, held against Keras' own."""

from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from galaxy_models.models.networks import build_network  # noqa: E402
from galaxy_models.training.collective import Collective  # noqa: E402
from galaxy_models.training.data_parallel import DataParallelNetwork  # noqa: E402
from galaxy_models.training.objectives import ClassObjective  # noqa: E402

pytestmark = pytest.mark.slow

NUM_GALAXIES = 32
SIZE_PX = 32
BATCH_SIZE = 16


def examples(num: int = NUM_GALAXIES) -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (num, SIZE_PX, SIZE_PX, 3)).astype(np.uint8)
    return images, (np.arange(num) % 3).astype(np.int32)


def no_teacher(num: int = NUM_GALAXIES) -> Any:
    return np.empty((num, 0), np.float32)


def alone(network: Any) -> DataParallelNetwork:
    return DataParallelNetwork(network, keras.optimizers.Adam(1e-3), Collective(1))


def fit_ours(images: Any, labels: Any, weights: Any) -> tuple[Any, Any]:
    """Weights after three epochs, and the sums of each epoch and its validation."""
    keras.utils.set_random_seed(0)
    network = build_network("lenet5", 3, SIZE_PX)
    parallel = alone(network)
    history = []
    for _ in range(3):
        batches = [
            (images[at : at + BATCH_SIZE], labels[at : at + BATCH_SIZE],
             weights[at : at + BATCH_SIZE])
            for at in range(0, len(labels), BATCH_SIZE)
        ]  # fmt: skip
        steps = [parallel.step(*b, no_teacher(len(b[1]))) for b in batches]
        trained = np.sum(steps, axis=0)
        evaluated = np.sum([parallel.evaluate(*batch) for batch in batches], axis=0)
        history.append([*trained, *evaluated])
    return network.get_weights(), np.asarray(history).T


def test_one_worker_trains_bit_for_bit_as_keras_fit_does() -> None:
    images, labels = examples()
    weights = np.ones(NUM_GALAXIES, np.float32)
    ours, (loss, correct, count, val_loss, val_correct, _) = fit_ours(
        images, labels, weights
    )
    keras.utils.set_random_seed(0)
    stock = build_network("lenet5", 3, SIZE_PX)
    stock.compile(
        keras.optimizers.Adam(1e-3),
        "sparse_categorical_crossentropy",
        weighted_metrics=["accuracy"],
        jit_compile=False,
    )
    data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(BATCH_SIZE)
    history = stock.fit(data, validation_data=data, epochs=3, verbose=0).history
    for mine, theirs in zip(ours, stock.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for sums, name in (
        (loss, "loss"),
        (correct, "accuracy"),
        (val_loss, "val_loss"),
        (val_correct, "val_accuracy"),
    ):
        np.testing.assert_allclose(sums / count, history[name], rtol=1e-6)


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
    np.testing.assert_allclose(padded_history, plain_history, rtol=1e-5)


def test_class_weights_change_the_loss_but_not_what_counts_as_accuracy() -> None:
    images, labels = examples()
    weights = np.where(labels == 0, 5.0, 1.0).astype(np.float32)
    network = build_network("lenet5", 3, SIZE_PX)
    loss, correct, count = np.asarray(alone(network).evaluate(images, labels, weights))
    predicted = network.predict(images, verbose=0)
    per_galaxy = -np.log(predicted[np.arange(NUM_GALAXIES), labels])
    assert (correct, count) == ((predicted.argmax(1) == labels).sum(), NUM_GALAXIES)
    assert loss == pytest.approx((weights * per_galaxy).sum(), rel=1e-4)


def test_padding_does_not_weigh_regularisation() -> None:
    images, labels = examples(16)
    inputs = keras.Input((SIZE_PX, SIZE_PX, 3))
    outputs = keras.layers.Dense(
        3, "softmax", kernel_regularizer=keras.regularizers.L2(0.1)
    )(keras.layers.GlobalAveragePooling2D()(inputs))
    parallel = alone(keras.Model(inputs, outputs))
    weights = np.ones(16, np.float32)
    whole = np.asarray(parallel.evaluate(images[:8], labels[:8], weights[:8]))
    weights[8:] = 0
    padded = np.asarray(parallel.evaluate(images, labels, weights))
    np.testing.assert_allclose(padded, whole, rtol=1e-5)


MEMBERS = np.asarray([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]], bool)
"""Three classes, and a label that is one of the first two."""


def test_the_loss_of_a_group_is_that_of_its_summed_probability() -> None:
    images, labels = examples()
    labels[::2] = 3
    network = build_network("lenet5", 3, SIZE_PX)
    parallel = DataParallelNetwork(
        network, keras.optimizers.Adam(), Collective(1), ClassObjective(3, MEMBERS)
    )
    loss, correct, _ = np.asarray(
        parallel.evaluate(images, labels, np.ones(NUM_GALAXIES, np.float32))
    )
    predicted = network.predict(images, verbose=0)
    allowed = MEMBERS[labels]
    expected = -np.log((predicted * allowed).sum(axis=1)).sum()
    assert loss == pytest.approx(expected, rel=1e-5)
    guess = predicted.argmax(axis=1)
    assert correct == allowed[np.arange(NUM_GALAXIES), guess].sum()


def test_a_group_leaves_it_to_the_network_which_of_its_classes_is_right() -> None:
    """One step moves probability into the group, between its classes as they stand."""
    images, labels = examples()
    labels[:] = 3
    network = build_network("lenet5", 3, SIZE_PX)
    optimizer = keras.optimizers.SGD(1e-3)
    parallel = DataParallelNetwork(
        network, optimizer, Collective(1), ClassObjective(3, MEMBERS)
    )
    before = network.predict(images, verbose=0)
    for _ in range(5):
        weights = np.ones(NUM_GALAXIES, np.float32)
        parallel.step(images, labels, weights, no_teacher())
    after = network.predict(images, verbose=0)
    assert after[:, 2].mean() < before[:, 2].mean()
    assert (after[:, :2].mean(axis=0) > before[:, :2].mean(axis=0)).all()


def test_label_smoothing_is_that_of_keras_and_for_learning_only() -> None:
    images, labels = examples()
    weights = np.ones(NUM_GALAXIES, np.float32)
    network = build_network("lenet5", 3, SIZE_PX)
    parallel = DataParallelNetwork(
        network,
        keras.optimizers.SGD(0.0),
        Collective(1),
        ClassObjective(3, label_smoothing=0.1),
    )
    predicted = network.predict(images, verbose=0)
    for found, smoothing in (
        (parallel.step(images, labels, weights, no_teacher()), 0.1),
        (parallel.evaluate(images, labels, weights), 0.0),
    ):
        losses = keras.losses.categorical_crossentropy(
            np.eye(3)[labels], predicted, label_smoothing=smoothing
        )
        assert float(found[0]) == pytest.approx(float(np.sum(losses)), rel=1e-5)


def test_a_teacher_has_its_share_of_the_loss_of_galaxies_that_it_knows() -> None:
    images, labels = examples()
    teacher_probabilities = np.random.default_rng(1).dirichlet(np.ones(3), NUM_GALAXIES)
    teacher_probabilities[::2] = 0  # unknown to it
    network = build_network("lenet5", 3, SIZE_PX)
    parallel = DataParallelNetwork(
        network,
        keras.optimizers.SGD(0.0),
        Collective(1),
        ClassObjective(3, teacher_weight=0.7),
    )
    logs = np.log(network.predict(images, verbose=0))
    of_labels = -logs[np.arange(NUM_GALAXIES), labels]
    of_teacher = -(teacher_probabilities * logs).sum(axis=1)
    mixed = 0.3 * of_labels[1::2] + 0.7 * of_teacher[1::2]
    weights = np.ones(NUM_GALAXIES, np.float32)
    loss, *_ = parallel.step(
        images, labels, weights, teacher_probabilities.astype(np.float32)
    )
    assert float(loss) == pytest.approx(of_labels[::2].sum() + mixed.sum(), rel=1e-5)
    evaluated, *_ = parallel.evaluate(images, labels, weights)
    assert float(evaluated) == pytest.approx(of_labels.sum(), rel=1e-5)
