"""What the log says while a run goes on."""

import logging
from collections import Counter

import pytest

from galaxy_models.cluster import progress
from galaxy_models.cluster.progress import Progress


class Clock:
    """Stands in for time; moves when told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Clock:
    caplog.set_level(logging.INFO)
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def counts(rows: int, failed: int = 0) -> Counter[str]:
    return Counter(rows=rows, failed=failed)


def test_a_line_tells_rows_rate_failures_and_time_left(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    report = Progress(num_rows=1000, num_kept=0, interval_s=10)
    clock.now_s += 30  # start-up
    report(counts(100))
    clock.now_s += 10
    report(counts(300, failed=7))

    assert caplog.messages[-1] == (
        "300 of 1000 rows (30 %), 20 images/s, 7 failed, 35 s left"
    )


def test_a_resumed_run_counts_the_rows_that_were_there(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    report = Progress(num_rows=12_000, num_kept=6_000, interval_s=10)
    report(counts(100))
    clock.now_s += 10
    report(counts(1_000, failed=7))

    assert caplog.messages[-1] == (
        "7000 of 12000 rows (58 %), 90 images/s, 7 failed, 56 s left"
    )


def test_before_the_first_row_a_line_says_that_the_run_is_starting(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    report = Progress(num_rows=1000, num_kept=0, interval_s=10)
    clock.now_s += 10
    report(Counter())

    assert caplog.messages == ["starting: no row yet"]


def test_a_single_reading_gives_no_rate(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    report = Progress(num_rows=1000, num_kept=0, interval_s=10)
    clock.now_s += 10
    report(counts(100))

    [line] = caplog.messages
    assert line.startswith("100 of 1000 rows (10 %)")
    assert line.endswith("rate not known yet")


def test_no_line_comes_before_its_interval(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    report = Progress(num_rows=1000, num_kept=0, interval_s=10)
    for second in range(1, 26):
        clock.now_s += 1
        report(counts(second))

    assert len(caplog.messages) == 2


def test_rows_that_were_done_twice_leave_no_negative_time(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    report = Progress(num_rows=100, num_kept=0, interval_s=10)
    report(counts(50))
    clock.now_s += 10
    report(counts(110))

    assert caplog.messages[-1].endswith("0 s left")
