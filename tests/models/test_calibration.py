"""Probabilities under a temperature, and how it is found."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from galaxy_models.models.calibration import (
    TEMPERATURE_BOUNDS,
    fit_temperature,
    negative_log_likelihood,
    with_temperature,
)

NUM_GALAXIES = 20_000
LOGITS = np.random.default_rng(2).normal(0, 2, (NUM_GALAXIES, 4))


def labels_of(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Draw a class for each galaxy: these probabilities are true."""
    at = np.random.default_rng(3).random((len(probabilities), 1))
    return np.asarray((probabilities.cumsum(axis=1) < at).sum(axis=1), np.int64)


def float32(probabilities: Any) -> NDArray[np.float32]:
    return np.asarray(probabilities, np.float32)


@pytest.mark.parametrize("true", [0.5, 1.0, 1.7, 4.0])
def test_the_temperature_that_made_a_network_too_sure_is_found(true: float) -> None:
    too_sure = float32(softmax(LOGITS, axis=1))
    labels = labels_of(softmax(LOGITS / true, axis=1))

    assert fit_temperature(too_sure, labels) == pytest.approx(true, rel=0.03)


def test_no_other_temperature_makes_the_labels_likelier() -> None:
    probabilities = float32(softmax(LOGITS, axis=1))
    labels = labels_of(softmax(LOGITS / 1.7, axis=1))
    fitted = fit_temperature(probabilities, labels)
    surprise = negative_log_likelihood(probabilities, labels, fitted)

    others = np.append(np.geomspace(*TEMPERATURE_BOUNDS, 200), fitted * 1.001)
    surprises = [negative_log_likelihood(probabilities, labels, t) for t in others]

    assert surprise <= min(surprises)


def test_a_calibrated_class_comes_as_often_as_it_is_promised() -> None:
    probabilities = float32(softmax(LOGITS, axis=1))
    labels = labels_of(softmax(LOGITS / 3, axis=1))
    calibrated = with_temperature(probabilities, fit_temperature(probabilities, labels))
    right = (probabilities.argmax(axis=1) == labels).mean()

    assert probabilities.max(axis=1).mean() > right + 0.2
    assert calibrated.max(axis=1).mean() == pytest.approx(right, abs=0.01)


def test_a_sample_without_a_mistake_or_without_a_galaxy_leaves_all_as_it_is() -> None:
    probabilities = float32([[0.6, 0.4], [0.1, 0.9], [0.5, 0.5]])

    assert fit_temperature(probabilities, np.array([0, 1, 1])) == 1
    assert fit_temperature(probabilities[:0], np.array([], np.int64)) == 1


def test_a_network_worse_than_a_guess_gets_the_highest_temperature() -> None:
    probabilities = float32([[0.9, 0.1], [0.2, 0.8]])

    fitted = fit_temperature(probabilities, np.array([1, 0]))

    assert fitted == pytest.approx(TEMPERATURE_BOUNDS[1], rel=1e-3)


def test_galaxies_that_were_sure_of_the_wrong_class_do_not_break_the_fit() -> None:
    sure = float32(np.eye(2)[np.zeros(1000, int)])  # zeros: infinite surprise
    labels = np.array([1] * 100 + [0] * 900)

    calibrated = with_temperature(sure, fit_temperature(sure, labels))

    # log(tiny) / 20, the softest there is, is still surer than 0.9
    assert np.isfinite(negative_log_likelihood(calibrated, labels))
    assert calibrated[0, 0] == pytest.approx(0.9, abs=0.1)


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        ([[0.5, 0.5]], [0, 1], r"shape \(1, 2\) and labels of shape \(2,\)"),
        ([0.5, 0.5], [0, 1], r"shape \(2,\) and labels of shape \(2,\)"),
        ([[0.5, 0.5]], [2], "labels 2 to 2: there are 2 classes"),
        ([[0.5, 0.5]], [-1], "labels -1 to -1: there are 2 classes"),
        ([[np.nan, 0.5]], [0], "NaN"),
    ],
)
def test_a_sample_that_makes_no_sense_is_refused(
    probabilities: Any, labels: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fit_temperature(float32(probabilities), np.array(labels))


def test_temperature_1_gives_the_same_bits_back() -> None:
    probabilities = float32(softmax(LOGITS, axis=1))

    assert with_temperature(probabilities, 1.0).tobytes() == probabilities.tobytes()


@pytest.mark.parametrize("temperature", [0.05, 0.7, 1.5, 20.0])
def test_a_temperature_divides_the_logits(temperature: float) -> None:
    given = with_temperature(float32(softmax(LOGITS, axis=1)), temperature)

    expected = softmax(LOGITS / temperature, axis=1)
    np.testing.assert_allclose(given, expected, atol=2e-6)
    np.testing.assert_allclose(given.sum(axis=1), 1, atol=1e-6)
    assert given.dtype == np.float32
    assert (given.argmax(axis=1) == LOGITS.argmax(axis=1)).all()


@pytest.mark.parametrize("temperature", [0.05, 0.7, 1.5, 20.0])
@pytest.mark.filterwarnings("error")
def test_certain_rows_stay_finite_and_sum_to_1(temperature: float) -> None:
    certain = float32([[1, 0, 0], [0.5, 0.5, 0], [1, 1e-45, 0]])

    given = with_temperature(certain, temperature)

    assert np.isfinite(given).all()
    np.testing.assert_allclose(given.sum(axis=1), 1, atol=1e-6)
    assert (given.argmax(axis=1) == 0).all()


def test_a_nan_spoils_its_own_row_only() -> None:
    given = with_temperature(float32([[np.nan, 0.5], [0.8, 0.2]]), 2.0)

    assert np.isnan(given[0]).all()
    assert given[1] == pytest.approx([2 / 3, 1 / 3])


def test_surprise_is_counted_in_nats() -> None:
    probabilities = float32([[0.5, 0.5], [0.25, 0.75]])

    found = negative_log_likelihood(probabilities, np.array([0, 0]))

    assert found == pytest.approx((np.log(2) + np.log(4)) / 2)
    assert np.isnan(negative_log_likelihood(probabilities[:0], np.array([], int)))


def test_scoring_does_not_import_scipy_s_optimisers() -> None:
    code = (
        "import sys, galaxy_models.models.calibration; "
        "print('scipy.optimize' in sys.modules)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=500,
    )
    assert finished.stdout == "False\n"
