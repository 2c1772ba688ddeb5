"""Which of Ray Train's helper processes a training starts."""

import os

import pytest

from galaxy_models.cluster.session import ray_is_embedded
from galaxy_models.training import trainer
from galaxy_models.training.trainer import PREEMPTION_VARIABLE, Trainer

CLEANER = "PlacementGroupCleanerCallback"


def callbacks() -> set[str]:
    started = Trainer(lambda: None)._create_default_callbacks()
    return {type(callback).__name__ for callback in started}


@pytest.mark.parametrize("is_embedded", [True, False])
def test_only_a_cluster_that_outlives_the_job_is_cleared_up_after_it(
    is_embedded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "ray_is_embedded", lambda: is_embedded)
    assert (CLEANER in callbacks()) is not is_embedded
    assert "DatasetsCallback" not in callbacks()
    assert "BackendSetupCallback" in callbacks()


@pytest.mark.parametrize(
    ("is_embedded", "set_by_user", "seen"),
    [(True, None, "0"), (True, "1", "1"), (False, None, None)],
)
def test_hosts_that_are_taken_back_are_watched_for_on_clusters(
    is_embedded: bool,
    set_by_user: str | None,
    seen: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(PREEMPTION_VARIABLE, raising=False)
    if set_by_user is not None:
        monkeypatch.setenv(PREEMPTION_VARIABLE, set_by_user)
    monkeypatch.setattr(trainer, "ray_is_embedded", lambda: is_embedded)
    monkeypatch.setattr(
        "ray.train.v2.api.data_parallel_trainer.DataParallelTrainer.fit",
        lambda _: os.environ.get(PREEMPTION_VARIABLE),
    )
    assert Trainer(lambda: None).fit() == seen
    assert os.environ.get(PREEMPTION_VARIABLE) == set_by_user


@pytest.mark.slow
def test_a_ray_that_this_process_started_ends_with_it(ray_here: None) -> None:
    assert ray_is_embedded()
