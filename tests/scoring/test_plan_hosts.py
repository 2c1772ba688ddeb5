"""Scoring on unequal hosts: threads that one host has, and GPUs that are booked."""

from typing import Any

import pytest

from galaxy_models.cluster.resources import Resources, cpus_for_each
from galaxy_models.config import ScoreConfig
from galaxy_models.images.decode import DecodeRule
from galaxy_models.models.card import ModelCard
from galaxy_models.scoring import on_ray
from galaxy_models.scoring.plan import Plan, Stages, plan_stages

CARD = ModelCard(
    network="mobilenet_v1",
    classes=("round", "spiral"),
    decode_rule=DecodeRule(224),
    model_hash="0",
)
GPU_BESIDE_CPUS = Resources(cpus_by_host=(8, *[32] * 20), gpus_by_host=(1, *[0] * 20))


def planned(resources: Resources, **changes: Any) -> Stages:
    config = ScoreConfig(catalog="c", model="m", output="o", engine="keras", **changes)
    return plan_stages(config, CARD, resources)


def test_an_actor_has_no_more_threads_than_its_host_has_cpus() -> None:
    plan = planned(GPU_BESIDE_CPUS)
    assert (plan.num_actors, plan.threads) == (1, 8)


@pytest.mark.parametrize(
    ("cpus_by_host", "num_actors", "threads"),
    [
        ((4,), 1, 4),
        ((4, 4), 1, 4),
        ((4, 4), 3, 2),
        ((2, 6), 2, 3),
        ((1, 64), 2, 32),
        ((0, 16, 16), 2, 16),
        ((3, 3), 4, 1),
    ],
)
def test_threads_of_all_actors_fit_on_the_hosts(
    cpus_by_host: tuple[int, ...], num_actors: int, threads: int
) -> None:
    resources = Resources(cpus_by_host)
    assert cpus_for_each(num_actors, resources) == threads
    plan = planned(resources, device="cpu", num_workers=num_actors)
    assert plan.threads == threads


@pytest.mark.parametrize(
    ("resources", "num_actors"),
    [
        (Resources(cpus_by_host=(16,), gpus_by_host=(4,)), 4),
        (Resources(cpus_by_host=(16, 16), gpus_by_host=(2, 1)), 3),
        (Resources(cpus_by_host=(2, 8), gpus_by_host=(4, 0)), 2),
        (GPU_BESIDE_CPUS, 1),
    ],
)
def test_each_actor_books_one_gpu_and_cpu_tasks_decode(
    resources: Resources, num_actors: int
) -> None:
    plan = planned(resources)
    assert plan.two_stage and plan.on_gpus
    actors = on_ray._actors(Plan(None, plan, None), None)  # type: ignore[arg-type]
    assert actors["num_gpus"] == 1
    assert actors["num_cpus"] == plan.actor_cpus < 1
    assert actors["compute"].max_size == num_actors
    assert plan.actor_gpus * num_actors <= resources.num_gpus


def test_without_gpus_none_is_booked() -> None:
    plan = planned(GPU_BESIDE_CPUS, device="cpu")
    assert not plan.two_stage
    actors = on_ray._actors(Plan(None, plan, None), None)  # type: ignore[arg-type]
    assert actors["num_gpus"] is None
