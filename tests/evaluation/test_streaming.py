"""What is kept of batches that pass: counts, extremes, and rows that have a label."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from galaxy_models.errors import PredictionsError
from galaxy_models.evaluation.agreement import Join, measure
from galaxy_models.evaluation.gallery_rows import FailedGalaxy, GalleryRows
from galaxy_models.evaluation.labels import Labels
from galaxy_models.evaluation.predictions import PredictionBatch
from galaxy_models.evaluation.tally import Tally
from galaxy_models.tables.id_index import IdIndex

FAILED = (np.nan, np.nan)


def batch(
    rows: Sequence[tuple[float, float]],
    first_id: int = 0,
    error: str = "missing: no file",
) -> PredictionBatch:
    errors = [error if np.isnan(one[0]) else None for one in rows]
    return PredictionBatch(
        pa.array(range(first_id, first_id + len(rows))),
        np.array(rows, np.float32),
        pa.array(errors, pa.string()),
    )


def labels(classes: list[int]) -> Labels:
    ids = pa.chunked_array([pa.array(range(len(classes)))])
    return Labels(
        "labels.csv",
        IdIndex(ids, pa.int64()),
        np.array(classes, np.int16),
        ("0",),
        0,
        0,
    )


def test_the_tally_counts_classes_and_confidences_over_all_batches() -> None:
    tally = Tally(2)
    for _ in range(3):
        tally.add(batch([(0.9, 0.1), (0.45, 0.55), (1.0, 0.0)]))

    assert tally.num_rows == 9
    assert tally.class_counts == [6, 3]
    assert tally.confidence_counts[0, 44] == 3  # 0.88 to 0.9
    assert tally.confidence_counts[0, 49] == 3
    assert tally.confidence_counts.sum() == 9


def test_the_tally_counts_failures_by_their_reason() -> None:
    tally = Tally(2)
    tally.add(batch([FAILED, (0.9, 0.1), FAILED]))
    tally.add(batch([FAILED], error="<b>: a reason that scoring never writes"))

    assert (tally.num_rows, tally.num_failed) == (4, 3)
    assert tally.failed == {"missing": 2, "other": 1}
    assert tally.class_counts == [1, 0]


def test_a_gallery_keeps_the_most_confident_of_all_batches() -> None:
    rows = GalleryRows(2, 2)
    no_labels = np.full(3, -1)
    rows.add(batch([(0.6, 0.4), (0.9, 0.1), (0.2, 0.8)]), no_labels)
    rows.add(batch([(0.7, 0.3), (0.95, 0.05), (0.1, 0.9)], 3), no_labels)

    first, second = rows.most_confident
    assert [galaxy.object_id for galaxy in first.galaxies] == ["4", "1"]
    assert [galaxy.object_id for galaxy in second.galaxies] == ["5", "2"]
    assert [one.object_id for one in rows.least_confident.galaxies] == ["0", "3"]
    assert rows.worst_mistakes.galaxies == []


def test_of_equally_confident_galaxies_the_first_are_shown() -> None:
    rows = GalleryRows(2, 2)
    for first_id in (0, 3):
        rows.add(batch([(1.0, 0.0)] * 3, first_id), np.full(3, -1))

    shown = rows.most_confident[0].galaxies
    assert [galaxy.object_id for galaxy in shown] == ["0", "1"]


def test_the_worst_mistakes_are_the_most_confident_wrong_ones() -> None:
    rows = GalleryRows(2, 5)
    probabilities = [(0.9, 0.1), (0.6, 0.4), (0.8, 0.2), (0.7, 0.3), FAILED]
    rows.add(batch(probabilities), np.array([0, 1, 1, -1, 0]))

    mistakes = rows.worst_mistakes.galaxies
    assert [galaxy.object_id for galaxy in mistakes] == ["2", "1"]
    assert [(one.predicted, one.label) for one in mistakes] == [(0, 1), (0, 1)]
    assert mistakes[0].confidence == pytest.approx(0.8)


def test_the_first_failed_rows_are_listed_with_their_error() -> None:
    rows = GalleryRows(2, 2)
    rows.add(batch([FAILED, (0.9, 0.1)]), np.full(2, -1))
    rows.add(batch([FAILED, FAILED], 2), np.full(2, -1))

    assert rows.failed == [
        FailedGalaxy("0", "missing: no file"),
        FailedGalaxy("2", "missing: no file"),
    ]


def test_galleries_of_no_size_are_empty() -> None:
    rows = GalleryRows(2, 0)
    rows.add(batch([(0.9, 0.1), FAILED]), np.array([1, -1]))

    assert not rows.galaxies
    assert not rows.failed


def test_rows_with_a_label_are_measured_and_others_are_not() -> None:
    join = Join(labels([0, 1, 1, 0]), 2, "predictions")
    true = join.add(batch([(0.9, 0.1), (0.8, 0.2), FAILED]))
    join.add(batch([(0.9, 0.1)], 17))

    assert true.tolist() == [0, 1, 1]
    assert (join.num_found, join.num_failed) == (3, 1)
    agreement = measure(*join.rows(), 10)
    assert (agreement.num, agreement.accuracy) == (2, 0.5)
    assert agreement.confusion.tolist() == [[1, 0], [1, 0]]


def test_a_galaxy_that_is_predicted_in_two_batches_is_refused() -> None:
    join = Join(labels([0, 1]), 2, "predictions")
    join.add(batch([(0.9, 0.1), (0.8, 0.2)]))

    with pytest.raises(PredictionsError, match="has galaxy 1 more than once"):
        join.add(batch([(0.9, 0.1)], 1))


def test_a_galaxy_that_is_predicted_twice_in_a_batch_is_refused() -> None:
    join = Join(labels([0, 1]), 2, "predictions")
    twice = PredictionBatch(
        pa.array([7, 1, 1]), np.full((3, 2), 0.5, np.float32), pa.nulls(3, pa.string())
    )

    with pytest.raises(PredictionsError, match="has galaxy 1 more than once"):
        join.add(twice)
