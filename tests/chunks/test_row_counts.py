"""One count of rows for the log, the metrics and the run record."""

from galaxy_models.chunks.chunk_result import ChunkResult
from galaxy_models.chunks.row_counts import RowCounts
from galaxy_models.errors import ImageDecodeError, failure_reason


def test_rows_are_counted_by_status_reason_and_class() -> None:
    counts = RowCounts()

    counts.add([None, "missing: a.jpg: no file", None], ["spiral", None, "round"])
    counts.add(["missing: b.jpg", "truncated: JPEG of 3 bytes"], [None, None])

    assert counts.statuses == {"ok": 2, "failed": 3}
    assert counts.failure_reasons == {"missing": 2, "truncated": 1}
    assert counts.classes == {"spiral": 1, "round": 1}
    assert (counts.num_rows, counts.num_failed) == (5, 3)


def test_counts_add_up_and_travel_with_a_chunk() -> None:
    total = RowCounts()
    one = RowCounts()
    one.add([None, "missing: a.jpg"], ["spiral", None])

    for _ in range(2):
        (result,) = ChunkResult.from_table(ChunkResult(7, one).to_table())
        total.update(result.counts)

    assert (result.chunk, result.counts) == (7, one)
    assert (total.num_rows, total.num_failed) == (4, 2)
    assert total.classes == {"spiral": 2}


def test_statuses_are_named_also_where_there_are_none() -> None:
    assert RowCounts().statuses == {"ok": 0, "failed": 0}


def test_the_reason_of_an_error_is_what_stands_before_the_colon() -> None:
    assert failure_reason(str(ImageDecodeError("too_large", "a: b: c"))) == "too_large"
