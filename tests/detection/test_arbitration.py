"""Which of a source and its parts is right, by the network's word."""

import numpy as np
import pandas as pd
import pytest

from galaxy_models.detection.arbitration import choose_primary, galaxy_scores

CLASSES = ("artefact", "round", "spiral", "star")
NOT_CLASSIFIED = [np.nan] * len(CLASSES)


def galaxy(score: float) -> list[float]:
    return [0, 0, score, 1 - score]


def artefact(probability: float) -> list[float]:
    return [probability, 0, 1 - probability, 0]


def choose(parent: list[float], *parts: list[float]) -> list[bool]:
    rows = pd.DataFrame(
        {
            "object_id": np.arange(7, 8 + len(parts)),
            "parent_id": [0] + [7] * len(parts),
            "num_children": [len(parts)] + [0] * len(parts),
        }
    )
    probabilities = np.array([parent, *parts], np.float32)
    return list(choose_primary(rows, probabilities, CLASSES))


def test_a_score_is_the_probability_of_being_a_galaxy() -> None:
    probabilities = np.array([[0.25, 0.5, 0.125, 0.125], NOT_CLASSIFIED], np.float32)
    np.testing.assert_array_equal(
        galaxy_scores(probabilities, CLASSES), np.array([0.625, np.nan], np.float32)
    )
    five = galaxy_scores(probabilities[:, :2], ("round", "spiral"))
    assert np.isnan(five).all()


@pytest.mark.parametrize(
    ("parent", "parts", "is_whole"),
    [
        (galaxy(0.9), [galaxy(0.8), galaxy(0.1)], True),
        (galaxy(0.9), [galaxy(0.9), galaxy(0.1)], True),
        (galaxy(0.8), [galaxy(0.9), galaxy(0.1)], False),
        (galaxy(0.1), [NOT_CLASSIFIED, NOT_CLASSIFIED], True),
        (artefact(0.9), [NOT_CLASSIFIED, NOT_CLASSIFIED], False),
        (NOT_CLASSIFIED, [galaxy(0.9), NOT_CLASSIFIED], False),
        (NOT_CLASSIFIED, [NOT_CLASSIFIED, NOT_CLASSIFIED], True),
    ],
)
def test_a_source_stays_whole_unless_a_part_is_more_probably_a_galaxy(
    parent: list[float], parts: list[list[float]], is_whole: bool
) -> None:
    assert choose(parent, *parts) == [is_whole] + [not is_whole] * len(parts)


def test_a_source_without_parts_is_always_primary() -> None:
    for one in (galaxy(0.0), artefact(1.0), NOT_CLASSIFIED):
        assert choose(one) == [True]


def test_without_star_and_artefact_every_source_stays_whole() -> None:
    rows = pd.DataFrame(
        {"object_id": [1, 2, 3], "parent_id": [0, 1, 1], "num_children": [2, 0, 0]}
    )
    probabilities = np.array([[0.6, 0.4], [0.1, 0.9], [0.9, 0.1]], np.float32)
    chosen = choose_primary(rows, probabilities, ("round", "spiral"))
    assert list(chosen) == [True, False, False]
