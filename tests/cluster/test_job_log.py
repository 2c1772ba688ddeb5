"""Workers' lines reach the job's log, whatever is made of their figures."""

import logging
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from galaxy_models.cluster import job_log as module
from galaxy_models.cluster.job_log import job_log

WAIT_S = 50.0  # for what happens soon


class ActorHere:
    """What the driver sees of the actor, without Ray."""

    def __init__(self) -> None:
        self.num_read = 0
        self.read_again = threading.Event()
        self.read = self

    def remote(self) -> tuple[list[str], Counter[str], dict[str, float]]:
        self.num_read += 1
        if self.num_read > 1:
            self.read_again.set()
        return [f"line {self.num_read}"], Counter(rows=self.num_read), {"loss": 0.5}


@pytest.fixture
def actor(monkeypatch: pytest.MonkeyPatch) -> ActorHere:
    actor = ActorHere()
    monkeypatch.setattr(module, "POLL_INTERVAL_S", 0.01)
    monkeypatch.setattr(module, "_start_actor", lambda: actor)
    monkeypatch.setattr("ray.get", lambda answer, **_: answer)
    monkeypatch.setattr("ray.kill", lambda _: None)
    return actor


def raising(_: Any) -> None:
    raise ZeroDivisionError("no rows yet")


@pytest.mark.parametrize("callback", ["on_counts", "on_figures"])
def test_a_callback_that_raises_ends_neither_the_lines_nor_the_job(
    actor: ActorHere, caplog: pytest.LogCaptureFixture, callback: str
) -> None:
    callbacks: dict[str, Callable[[Any], None]] = {callback: raising}
    with caplog.at_level(logging.INFO), job_log(**callbacks):
        assert actor.read_again.wait(WAIT_S)

    assert {"line 1", "line 2", f"line {actor.num_read}"} <= set(caplog.messages)
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert warnings.count(warnings[0]) == actor.num_read
    assert "ZeroDivisionError: no rows yet" in warnings[0]


def test_figures_reach_their_callbacks(actor: ActorHere) -> None:
    counts: list[int] = []
    figures: list[dict[str, float]] = []
    with job_log(lambda sums: counts.append(sums["rows"]), figures.append):
        assert actor.read_again.wait(WAIT_S)

    assert counts == list(range(1, actor.num_read + 1))
    assert figures == [{"loss": 0.5}] * actor.num_read
