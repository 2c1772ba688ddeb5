"""What is measured of detections against a truth, on tables small enough to count."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from galaxy_models.config import EvaluateConfig
from galaxy_models.evaluation.detections.boxes import (
    average_precision,
    intersection_over_union,
)
from galaxy_models.evaluation.detections.matching import NONE, match
from galaxy_models.evaluation.detections.measures import Binned, faint_limit
from galaxy_models.evaluation.detections.results import (
    DetectionEvaluation,
    detection_record,
    measure_detections,
)
from galaxy_models.evaluation.detections.tables import Tables


def rows(places: list[tuple[float, float]], **columns: Any) -> pd.DataFrame:
    """Detections of one image."""
    table: dict[str, Any] = {
        "object_id": range(1, len(places) + 1),
        "image": "a.fits",
        "x": [x for x, _ in places],
        "y": [y for _, y in places],
        "flux": 10.0,
        "snr": 50.0,
        "half_light_radius": 2.0,
        "predicted_class": "round",
        "score": 0.9,
    }
    return pd.DataFrame(table | columns)


def sources(places: list[tuple[float, float]], **columns: Any) -> pd.DataFrame:
    """True galaxies of the same image."""
    table: dict[str, Any] = {
        "image": "a.fits",
        "x": [x for x, _ in places],
        "y": [y for _, y in places],
        "kind": "galaxy",
        "label": "round",
        "r_magnitude": 18.2,
        "half_light_radius_px": 2.0,
        "r90_px": 5.0,
    }
    return pd.DataFrame(table | columns)


def measured(
    found: pd.DataFrame, truth: pd.DataFrame, **flags: Any
) -> DetectionEvaluation:
    config = EvaluateConfig(detections="d", truth="t", output="r", **flags)
    return measure_detections(Tables("d", "t", found, truth, 1, 0), config)


def test_pairs_are_one_to_one_and_the_nearest_win() -> None:
    found = rows([(10, 10), (12, 10), (50, 50)])
    truth = sources([(11.8, 10), (10.5, 10), (90, 90)])
    matches = match(found, truth, 3.0)
    assert matches.of_truth.tolist() == [1, 0, NONE]
    assert matches.of_found.tolist() == [1, 0, NONE]
    assert matches.distance[:2] == pytest.approx([0.2, 0.5])
    large = match(found, truth.assign(half_light_radius_px=120.0), 3.0)
    assert large.of_truth.tolist() == [1, 0, 2]
    elsewhere = match(found, truth.assign(image="b.fits"), 3.0)
    assert (elsewhere.of_truth == NONE).all()


def test_completeness_and_purity_are_shares_of_what_is_there() -> None:
    found = rows(
        [(10, 10), (30, 30), (50, 50), (70, 70)],
        snr=[50, 50, 50, 2],
        score=[0.9, 0.8, 0.7, 0.1],
    )
    truth = sources(
        [(10, 10), (30, 30), (90, 90)],
        kind=["galaxy", "star", "galaxy"],
        r_magnitude=[18.2, 18.2, 20.7],
    )
    evaluation = measured(found, truth)
    assert (evaluation.num_found, evaluation.num_galaxies) == (1, 2)
    assert evaluation.by_magnitude.edges[[0, -1]].tolist() == [18.0, 21.0]
    assert evaluation.by_magnitude.num.tolist() == [1, 0, 0, 0, 0, 1]
    assert evaluation.by_magnitude.num_good.tolist() == [1, 0, 0, 0, 0, 0]
    assert evaluation.purity is not None
    assert evaluation.purity.significant == pytest.approx(2 / 3)
    assert evaluation.purity.of_galaxies == pytest.approx(1 / 3)
    assert evaluation.zero_point == pytest.approx(18.2 + 2.5)
    assert measured(found, truth, min_score=0.85).purity.of_galaxies == 1  # type: ignore[union-attr]


def test_a_partial_truth_says_nothing_about_purity() -> None:
    evaluation = measured(rows([(1, 1)]), sources([(1, 1)]), partial_truth=True)
    assert evaluation.purity is None
    assert detection_record(evaluation)["purity"] is None


def test_the_limit_lies_between_the_bins_around_it() -> None:
    edges = np.array([18.0, 19, 20, 21, 22])
    counts = Binned(edges, np.array([10, 10, 10, 2]), np.array([10, 8, 2, 2]))
    assert faint_limit(counts, 0.5) == pytest.approx(20.0)
    assert faint_limit(counts, 0.95) == pytest.approx(18.75)
    assert np.isnan(faint_limit(counts, 0.1))


def test_a_neighbour_that_was_not_told_apart_and_a_piece_are_counted() -> None:
    truth = sources([(20, 20), (26, 20), (60, 60), (64, 60), (90, 90)])
    truth["label"] = "spiral"
    truth["r_magnitude"] = [18.0, 18.5, 18.0, 21.0, 16.0]
    found = rows([(20, 20), (60, 60), (64, 60), (90, 90), (93, 92)])
    blends = measured(found, truth, match_radius=2.0).blends
    assert blends.recognised.num.tolist() == [0, 0, 1, 0, 0]  # 60, 60: too faint
    assert blends.recognised.num_good.tolist() == [0, 0, 0, 0, 0]
    assert (blends.num_galaxies, blends.num_shredded) == (5, 1)
    assert (blends.num_bright_spirals, blends.num_shredded_spirals) == (1, 1)


def test_positions_are_those_of_bright_galaxies() -> None:
    truth = sources([(20, 20), (50, 50)], r_magnitude=[19.0, 21.0])
    positions = measured(rows([(20, 20.5), (52, 50)]), truth).positions
    assert (positions.num, positions.median) == (1, 0.5)


def test_classes_are_compared_where_both_are_there() -> None:
    truth = sources([(20, 20), (50, 50), (80, 80)], label=["spiral", "round", None])
    found = rows([(20, 20), (50, 50), (80, 80)])
    found["predicted_class"] = ["star", None, "round"]
    classes = measured(found, truth).classes
    assert classes.names == ("round", "spiral", "star")
    assert classes.confusion.tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 0]]
    assert classes.num_unclassified == 1
    assert classes.accuracy == 0


def test_boxes_overlap_by_half_from_a_third_of_their_side() -> None:
    box = np.array([0.0, 0.0, 2.0])  # 8 px wide
    others = np.array([[0, 0, 2], [8 / 3, 0, 2], [8, 0, 2], [0, 0, 1]])
    overlaps = intersection_over_union(box, others)
    assert overlaps == pytest.approx([1, 0.5, 0, 0.25])


def test_average_precision_is_the_area_below_the_curve() -> None:
    truth = sources([(20, 20), (50, 50)])
    found = rows([(20, 20), (80, 80), (50, 50), (50, 51)], score=[0.9, 0.8, 0.7, 0.6])
    assert average_precision(found, truth) == pytest.approx((1 + 2 / 3) / 2)
    assert np.isnan(average_precision(found.assign(score=np.nan), truth))
    assert np.isnan(average_precision(found, truth.assign(half_light_radius_px=np.nan)))
