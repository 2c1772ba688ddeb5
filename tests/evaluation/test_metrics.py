"""Metrics are what their papers say, by hand on a few galaxies and in general."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galaxy_models.evaluation import metrics

# Class 0: 3 galaxies, 2 found. Class 1: 1, found. Class 2: none, predicted once.
LABELS = np.array([0, 0, 0, 1])
PREDICTED = np.array([0, 0, 2, 1])
CONFUSION = np.array([[2, 0, 1], [0, 1, 0], [0, 0, 0]])

samples = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50)


def arrays(sample: list[tuple[float, bool]]) -> tuple[Any, Any]:
    confidence, is_right = zip(*sample, strict=True)
    return np.array(confidence), np.array(is_right)


def test_the_confusion_has_true_classes_in_rows() -> None:
    counts = metrics.confusion_matrix(LABELS, PREDICTED, 3)

    np.testing.assert_array_equal(counts, CONFUSION)


def test_the_accuracy_is_the_share_of_right_predictions() -> None:
    assert metrics.accuracy(CONFUSION) == 0.75


def test_the_interval_of_the_accuracy_is_wilsons() -> None:
    # 81 of 263: Newcombe 1998, Stat. Med. 17, 857, table I, method 3.
    low, high = metrics.accuracy_interval(81, 263)

    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)


def test_right_every_time_is_not_certain() -> None:
    low, high = metrics.accuracy_interval(20, 20)

    assert low == pytest.approx(0.8389, abs=1e-4)
    assert high == 1


def test_precision_and_recall_of_a_class_that_occurs() -> None:
    scores = metrics.class_scores(CONFUSION)

    assert scores.precision[0] == 1
    assert scores.recall[0] == pytest.approx(2 / 3)
    assert scores.f1[0] == pytest.approx(0.8)


def test_a_class_without_labels_has_no_scores() -> None:
    scores = metrics.class_scores(CONFUSION)

    assert math.isnan(scores.precision[2])
    assert math.isnan(scores.recall[2])
    assert math.isnan(scores.f1[2])


def test_a_class_that_is_never_predicted_has_no_precision_and_an_f1_of_0() -> None:
    scores = metrics.class_scores(np.array([[0, 2], [0, 3]]))

    assert math.isnan(scores.precision[0])
    assert scores.recall[0] == scores.f1[0] == 0


def test_means_are_over_the_classes_that_occur() -> None:
    assert metrics.macro_f1(CONFUSION) == pytest.approx((0.8 + 1) / 2)
    assert metrics.balanced_accuracy(CONFUSION) == pytest.approx((2 / 3 + 1) / 2)


def test_the_calibration_error_weighs_each_bins_gap_by_its_galaxies() -> None:
    confidence = np.array([0.6, 0.7, 0.9])  # bins (0.5, 0.75] and (0.75, 1]
    bins = metrics.reliability(confidence, np.array([True, False, True]), 4)

    np.testing.assert_array_equal(bins.counts, [0, 0, 2, 1])
    assert bins.confidence[2:] == pytest.approx([0.65, 0.9])
    assert list(bins.accuracy[2:]) == [0.5, 1]
    expected = 2 / 3 * 0.15 + 1 / 3 * 0.1
    assert metrics.expected_calibration_error(bins) == pytest.approx(expected)


def test_a_bin_holds_its_upper_edge() -> None:
    right = np.array([True, True, True])
    bins = metrics.reliability(np.array([0.5, 0.75, 1.0]), right, 4)

    np.testing.assert_array_equal(bins.counts, [0, 1, 1, 1])


def test_an_empty_bin_has_no_accuracy() -> None:
    bins = metrics.reliability(np.array([0.9]), np.array([True]), 2)

    assert math.isnan(bins.accuracy[0])
    assert math.isnan(bins.confidence[0])


def test_the_brier_score_sums_over_all_classes() -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0]])
    by_hand = ((0.3**2 + 0.2**2 + 0.1**2) + (0.5**2 + 0.5**2)) / 2

    score = metrics.brier_score(probabilities, np.array([0, 1]))

    assert score == pytest.approx(by_hand)


def test_certain_and_wrong_is_the_worst_brier_score() -> None:
    assert metrics.brier_score(np.array([[1.0, 0.0]]), np.array([1])) == 2


def test_the_log_likelihood_is_in_nats() -> None:
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75]])

    loss = metrics.negative_log_likelihood(probabilities, np.array([0, 0]))

    assert loss == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_a_probability_of_0_costs_a_finite_loss() -> None:
    loss = metrics.negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1]))

    assert loss == pytest.approx(-math.log(1e-7))


def test_the_most_confident_are_kept_first() -> None:
    confidence = np.array([0.5, 0.9, 0.7, 0.8])
    curve = metrics.coverage_curve(confidence, np.array([False, True, False, True]))

    assert list(curve.coverage) == [0.25, 0.5, 0.75, 1]
    assert curve.accuracy == pytest.approx([1, 1, 2 / 3, 0.5])
    assert list(curve.threshold) == [0.9, 0.8, 0.7, 0.5]


def test_galaxies_of_equal_confidence_are_kept_together() -> None:
    confidence = np.array([0.9, 0.9, 0.9, 0.4])
    curve = metrics.coverage_curve(confidence, np.array([True, False, False, True]))

    assert list(curve.coverage) == [0.75, 1]
    assert curve.accuracy == pytest.approx([1 / 3, 0.5])


def test_many_galaxies_give_a_curve_of_a_hundred_points() -> None:
    confidence = np.linspace(0.2, 1, 12_345)
    curve = metrics.coverage_curve(confidence, confidence > 0.5)

    assert len(curve.coverage) == 100
    assert curve.coverage[0] == pytest.approx(0.01, abs=1e-3)
    assert curve.coverage[-1] == 1


def test_an_empty_sample_has_no_metrics() -> None:
    nothing: Any = np.empty(0)
    indices = nothing.astype(int)
    empty = np.zeros((2, 2), np.int64)
    bins = metrics.reliability(nothing, nothing.astype(bool))

    values = [
        metrics.accuracy(empty),
        *metrics.accuracy_interval(0, 0),
        metrics.macro_f1(empty),
        metrics.balanced_accuracy(empty),
        metrics.expected_calibration_error(bins),
        metrics.brier_score(np.empty((0, 2)), indices),
        metrics.negative_log_likelihood(np.empty((0, 2)), indices),
    ]
    assert all(map(math.isnan, values))
    assert not len(metrics.coverage_curve(nothing, nothing.astype(bool)).coverage)


@given(samples, st.integers(1, 40))
def test_the_calibration_error_lies_from_0_to_1(
    sample: list[tuple[float, bool]], num_bins: int
) -> None:
    bins = metrics.reliability(*arrays(sample), num_bins)

    assert bins.counts.sum() == len(sample)
    assert 0 <= metrics.expected_calibration_error(bins) <= 1


@given(st.lists(st.integers(0, 3), min_size=1, max_size=50))
def test_perfect_predictions_have_perfect_metrics(labels: list[int]) -> None:
    one_hot = np.eye(4, dtype=np.float32)[labels]
    confusion = metrics.confusion_matrix(np.array(labels), one_hot.argmax(axis=1), 4)

    assert metrics.accuracy(confusion) == metrics.macro_f1(confusion) == 1
    assert metrics.brier_score(one_hot, np.array(labels)) == 0
    assert metrics.negative_log_likelihood(one_hot, np.array(labels)) == 0


@given(samples)
def test_all_galaxies_kept_have_the_accuracy_of_all(
    sample: list[tuple[float, bool]],
) -> None:
    confidence, is_right = arrays(sample)
    curve = metrics.coverage_curve(confidence, is_right)

    assert curve.coverage[-1] == 1
    assert curve.accuracy[-1] == pytest.approx(is_right.mean())
    assert all(np.diff(curve.coverage) > 0)
    assert all(np.diff(curve.threshold) < 0)


@given(
    st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
)
def test_the_interval_holds_the_accuracy(counts: tuple[int, int]) -> None:
    num_right, num = counts
    low, high = metrics.accuracy_interval(num_right, num)

    assert 0 <= low <= num_right / num <= high <= 1
