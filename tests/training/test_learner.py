"""A network that learns, in one process."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from galaxy_models.config import TrainConfig  # noqa: E402
from galaxy_models.training.batches import Batch  # noqa: E402
from galaxy_models.training.collective import Collective  # noqa: E402
from galaxy_models.training.labels import Labels  # noqa: E402
from galaxy_models.training.learner import (  # noqa: E402
    DivergedError,
    Learner,
    predict_batches,
)

pytestmark = pytest.mark.slow

SIZE_PX = 32
CLASSES = ("cigar", "round", "spiral")
LABELS = Labels({"training": Counter(CLASSES), "validation": Counter()}, {})


def batches(num: int = 4) -> Iterator[Batch]:
    """Batches of eight, the last two of which only fill up."""
    rng = np.random.default_rng(0)
    for index in range(num):
        labels = rng.integers(0, 3, 8).astype(np.int32)
        images = rng.integers(0, 60, (8, SIZE_PX, SIZE_PX, 3))
        images += 60 * labels[:, None, None, None]
        yield Batch(
            images.astype(np.uint8),
            labels,
            np.asarray([1] * 6 + [0] * 2, np.float32),
            np.arange(8) + 8 * index,
            np.empty((8, 0), np.float32),
        )


def learner(precision: str = "float32", **flags: Any) -> Learner:
    config = TrainConfig(
        catalog="c", output="o", network="lenet5", image_size=SIZE_PX, **flags
    )
    return Learner(config, LABELS.head, precision, Collective(1))


def test_loss_falls_and_galaxies_are_counted() -> None:
    network = learner()
    losses = []
    for _ in range(10):
        loss, _, count = network.train_epoch(batches(), 1e-3)
        losses.append(loss / count)
    assert count == 24
    assert losses[-1] < 0.8 * losses[0]


def test_a_network_follows_its_teacher_where_labels_say_otherwise() -> None:
    network = learner(teacher=("t",), teacher_weight=0.9)
    said, one_hot = [1, 2, 0], np.eye(3, dtype=np.float32)  # of each label
    for _ in range(15):
        network.train_epoch(
            (
                b._replace(teacher_probabilities=one_hot[said][b.labels])
                for b in batches()
            ),
            1e-3,
        )
    finished = network.finished_network(network.weights())
    predicted = predict_batches(finished, batches(), LABELS)
    numbers = predicted["label"].map(CLASSES.index).map(said.__getitem__)
    follows = predicted["predicted_class"] == numbers.map(CLASSES.__getitem__)
    assert follows.mean() > 0.8


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_learns_and_is_kept_in_float32(precision: str) -> None:
    network = learner(precision)
    losses = []
    for _ in range(10):
        loss, _, count = network.train_epoch(batches(), 1e-3)
        losses.append(loss / count)
    assert losses[-1] < 0.8 * losses[0]
    finished = network.finished_network(network.weights())
    assert {layer.compute_dtype for layer in finished.layers[1:]} == {"float32"}
    evaluated = network.evaluate(batches())
    weights = np.concatenate([batch.weights for batch in batches()])
    labels = np.concatenate([batch.labels for batch in batches()])
    images = np.concatenate([batch.images for batch in batches()])
    probabilities = finished.predict(images, verbose=0)
    loss = -(np.log(probabilities[np.arange(len(labels)), labels]) * weights).sum()
    assert evaluated[0] == pytest.approx(loss, rel=0.02)  # bfloat16 has 8 bits


def test_another_seed_gives_other_first_weights() -> None:
    first, again, other = (learner(seed=seed).weights() for seed in (7, 7, 8))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("averaging", [0.0, 0.9])
@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_a_restored_learner_goes_on_bit_for_bit(
    precision: str, averaging: float
) -> None:
    whole = learner(precision, weight_averaging=averaging)
    whole.train_epoch(batches(), 1e-3)
    kept = whole.weights(), whole.optimizer_variables(), whole.averaged_weights()
    whole.train_epoch(batches(), 5e-4)
    resumed = learner(precision, weight_averaging=averaging)
    resumed.restore(*kept)
    resumed.train_epoch(batches(), 5e-4)
    for mine, theirs in zip(
        resumed.weights() + resumed.averaged_weights(),
        whole.weights() + whole.averaged_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("before", "after"),
    [("float32", "mixed_float16"), ("mixed_float16", "float32")],
)
def test_a_learner_goes_on_in_another_precision(before: str, after: str) -> None:
    """As where a training that CPUs began is resumed on GPUs."""
    first = learner(before, weight_averaging=0.9)
    first.train_epoch(batches(), 1e-3)
    kept = first.weights(), first.optimizer_variables(), first.averaged_weights()
    first.train_epoch(batches(), 5e-4)
    resumed = learner(after, weight_averaging=0.9)
    resumed.restore(*kept)
    resumed.train_epoch(batches(), 5e-4)
    for mine, theirs, old in zip(
        resumed.weights() + resumed.averaged_weights(),
        first.weights() + first.averaged_weights(),
        kept[0] + kept[2],
        strict=True,
    ):
        assert np.abs(mine - theirs).max() <= 0.1 * np.abs(theirs - old).max()


def test_the_running_mean_of_the_weights_is_validated_and_kept() -> None:
    averaged, plain = learner(weight_averaging=0.15), learner()
    mean = plain.weights()
    for step, batch in enumerate(batches(), start=1):
        for network in (averaged, plain):
            network.train_epoch(iter([batch]), 1e-3)
        kept = min(0.15, (1 + step) / (10 + step))
        mean = [
            kept * old + (1 - kept) * new
            for old, new in zip(mean, plain.weights(), strict=True)
        ]
    for mine, theirs in zip(averaged.weights(), plain.weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)  # learning itself is unmoved
    for mine, expected in zip(averaged.weights_to_keep(), mean, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-6)
    evaluated = averaged.evaluate(batches())
    plain.restore(averaged.weights_to_keep(), plain.optimizer_variables(), [])
    np.testing.assert_allclose(evaluated, plain.evaluate(batches()), rtol=1e-6)
    for mine, theirs in zip(
        averaged.averaged_weights(), averaged.weights_to_keep(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_a_loss_that_is_no_number_stops_at_its_step() -> None:
    taken = []

    def noted() -> Iterator[Batch]:
        for batch in batches(50):
            taken.append(batch)
            yield batch

    with pytest.raises(DivergedError, match="the loss is (nan|inf)"):
        learner().train_epoch(noted(), 1e38)
    assert len(taken) < 50


def test_predictions_leave_out_what_only_fills_up() -> None:
    network = learner().finished_network(learner().weights())
    table = predict_batches(network, batches(), LABELS)
    assert len(table) == 24
    assert table["object_id"].is_unique
    probabilities = table[[f"probability_{name}" for name in CLASSES]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    best = np.asarray(CLASSES)[probabilities.argmax(axis=1)]
    assert (table["predicted_class"] == best).all()
