"""What the log says while galaxies are decoded and while an epoch lasts."""

import logging
from collections import Counter

import numpy as np
import pytest

from galaxy_models.cluster import progress as lines
from galaxy_models.training import progress
from galaxy_models.training.progress import DecodeProgress, EpochProgress


class Clock:
    """Stands in for time; moves when told."""

    now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Clock:
    caplog.set_level(logging.INFO)
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(lines, "time", clock)
    return clock


def test_an_epoch_tells_galaxies_loss_rate_and_time_left_every_ten_seconds(
    clock: Clock,
) -> None:
    said: list[str] = []
    report = EpochProgress(said.append, epoch=2, num_epochs=3, num_galaxies=1000)
    for done in (90, 110, 200, 220):
        clock.now_s = 100 + done / 10
        report(np.array([0.5 * done, 0.8 * done, done]))
    assert said == [
        "epoch 2/3: 110 of 1000 galaxies (11 %), loss 0.5000 accuracy 0.800, "
        "10 images/s, 189 s left",
        "epoch 2/3: 220 of 1000 galaxies (22 %), loss 0.5000 accuracy 0.800, "
        "10 images/s, 178 s left",
    ]


def test_decoding_is_reported_until_every_galaxy_is_decoded(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    report = DecodeProgress(1000)
    for rows in (0, 100, 600, 1000, 1000):
        clock.now_s += 10
        report(Counter(rows=rows, failed=rows // 100))
    assert [record.getMessage() for record in caplog.records] == [
        "starting: no row yet",
        "100 of 1000 galaxies decoded (10 %), 0 images/s, 1 failed, rate not known yet",
        "600 of 1000 galaxies decoded (60 %), 50 images/s, 6 failed, 8 s left",
    ]
