"""In a caller's own ``ray.init``, as in a notebook: Ray Data's settings come and go."""

import logging
from typing import Any

import pytest
import ray.data

from galaxy_models.cluster import session
from galaxy_models.cluster.resources import Resources
from galaxy_models.cluster.session import RETRIED_STATUS, ray_session

HERE = Resources(cpus_by_host=(2,))


def settings() -> dict[str, Any]:
    context = ray.data.DataContext.get_current()
    return {
        "reader": context.use_datasource_v2,
        "order": context.execution_options.preserve_order,
        "retried": RETRIED_STATUS in context.retried_io_errors,
        "bars": context.enable_progress_bars,
        "log level": logging.getLogger("ray.data").level,
    }


OURS = {
    "reader": False,
    "order": True,
    "retried": True,
    "bars": False,
    "log level": logging.CRITICAL,
}


@pytest.fixture
def callers_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: True)
    monkeypatch.setattr(session, "_resources", lambda: HERE)


@pytest.fixture
def callers_context(callers_session: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A context that the caller made settings in."""
    # A session of other tests may be open in this process.
    monkeypatch.setattr(logging.getLogger("ray.data"), "level", logging.INFO)
    context = ray.data.DataContext()
    context.use_datasource_v2 = True
    context.execution_options.preserve_order = False
    context.retried_io_errors = ["their own"]
    context.enable_progress_bars = True
    with ray.data.DataContext.current(context):
        yield context


def test_a_callers_session_gets_the_settings_and_has_its_own_back(
    callers_context: Any,
) -> None:
    before = settings()
    assert {before[name] == OURS[name] for name in OURS} == {False}

    with ray_session() as resources, ray_session():
        assert resources == HERE
        assert settings() == OURS
        assert "their own" in ray.data.DataContext.get_current().retried_io_errors

    assert settings() == before
    assert ray.data.DataContext.get_current() is callers_context
    assert callers_context.retried_io_errors == ["their own"]


def test_a_callers_settings_come_back_after_a_job_that_failed(
    callers_context: Any,
) -> None:
    before = settings()
    with pytest.raises(ZeroDivisionError), ray_session():
        raise ZeroDivisionError

    assert settings() == before
