"""How a scoring run spreads over laptops, clusters and GPUs."""

import dataclasses
from typing import Any

import pytest

from galaxy_models.chunks.workers import WRITE_CPUS
from galaxy_models.cluster.resources import Resources
from galaxy_models.config import ScoreConfig
from galaxy_models.errors import ModelFolderError, ResourceError
from galaxy_models.images.decode import DecodeRule
from galaxy_models.models.card import FLOAT_NAME, INT8_NAME, LiteRTRecord, ModelCard
from galaxy_models.models.engines import choose_engine
from galaxy_models.scoring.plan import (
    Stages,
    choose_rows_per_chunk,
    plan_stages,
)

LAPTOP = Resources(cpus_by_host=(4,))
ONE_CPU = Resources(cpus_by_host=(1,))
GPU_CLUSTER = Resources(cpus_by_host=(16, 16), gpus_by_host=(2, 2))


def record(agreement: float) -> LiteRTRecord:
    return LiteRTRecord(
        file_hash="0",
        agreement=agreement,
        val_accuracy=0.8,
        max_probability_difference=0.1,
        num_galaxies=300,
    )


def card_with(**agreements: float) -> ModelCard:
    """A card of a folder with LiteRT files of these agreements."""
    names = {"int8": INT8_NAME, "float32": FLOAT_NAME}
    return ModelCard(
        network="mobilenet_v1",
        classes=("round", "spiral"),
        decode_rule=DecodeRule(224),
        model_hash="0",
        litert={names[name]: record(share) for name, share in agreements.items()},
    )


GOOD_CARD = card_with(int8=0.995, float32=1.0)


CONFIG = ScoreConfig(catalog="c", model="m", output="o")


def planned(resources: Resources, **changes: Any) -> Stages:
    return plan_stages(dataclasses.replace(CONFIG, **changes), GOOD_CARD, resources)


def test_without_gpus_each_cpu_gets_an_int8_actor_that_decodes_too() -> None:
    plan = planned(LAPTOP)
    assert (plan.engine, plan.num_actors, plan.threads) == ("litert-int8", 4, 1)
    assert not plan.two_stage and plan.actor_gpus == 0


def test_with_gpus_each_gets_a_keras_actor_that_cpu_tasks_decode_for() -> None:
    plan = planned(GPU_CLUSTER)
    assert (plan.engine, plan.num_actors, plan.actor_gpus) == ("keras", 4, 1)
    assert plan.two_stage and plan.batch_size == 256


@pytest.mark.parametrize("changes", [{"device": "cpu"}, {"engine": "litert-int8"}])
def test_cpu_work_on_a_gpu_cluster_uses_its_cpus(changes: dict[str, Any]) -> None:
    plan = planned(GPU_CLUSTER, **changes)
    assert (plan.engine, plan.num_actors, plan.actor_gpus) == ("litert-int8", 32, 0)


@pytest.mark.parametrize("plan_name", ["fused", "two-stage"])
def test_a_machine_with_one_cpu_has_room_for_every_stage(plan_name: str) -> None:
    plan = planned(ONE_CPU, plan=plan_name)
    decode_cpus = plan.decode_cpus if plan.two_stage else 0
    largest_task = max(decode_cpus, WRITE_CPUS)
    assert plan.num_actors * plan.actor_cpus + largest_task <= 1


@pytest.mark.parametrize("cpus", [1, 2, 16])
@pytest.mark.parametrize("plan_name", ["fused", "two-stage"])
def test_one_of_two_hosts_has_room_for_every_stage(plan_name: str, cpus: int) -> None:
    plan = planned(Resources(cpus_by_host=(cpus, cpus)), plan=plan_name)
    decode_cpus = plan.decode_cpus if plan.two_stage else 0
    assert plan.num_actors * plan.actor_cpus + decode_cpus <= cpus


def test_a_head_without_cpus_does_not_count_as_the_smallest_host() -> None:
    resources = Resources(cpus_by_host=(0, 8))
    assert planned(resources, plan="two-stage").decode_cpus == 1


def test_the_two_stage_plan_can_be_forced_on_cpus() -> None:
    plan = planned(LAPTOP, plan="two-stage", engine="keras")
    assert plan.two_stage and plan.actor_gpus == 0


def test_a_gpu_asked_for_where_there_is_none_says_what_is_there() -> None:
    with pytest.raises(ResourceError, match="--device gpu: .* 4 CPUs and no GPU on 1"):
        planned(LAPTOP, device="gpu")


def test_fewer_actors_get_more_threads() -> None:
    assert planned(LAPTOP, num_workers=2).threads == 2


@pytest.mark.parametrize(
    ("num_rows", "rows_per_chunk"), [(10, 64), (8_000, 125), (10**8, 1024)]
)
def test_small_catalogs_are_cut_so_that_every_actor_gets_some(
    num_rows: int, rows_per_chunk: int
) -> None:
    rows = choose_rows_per_chunk(CONFIG, GOOD_CARD, planned(LAPTOP), num_rows)
    assert rows == rows_per_chunk


@pytest.mark.parametrize(
    ("card", "engine"),
    [
        (card_with(int8=0.99, float32=1.0), "litert-int8"),
        (card_with(int8=0.98, float32=1.0), "litert-float"),
        (card_with(float32=1.0), "litert-float"),
        (card_with(), "keras"),
    ],
)
def test_auto_takes_int8_only_where_it_agrees(card: ModelCard, engine: str) -> None:
    assert choose_engine("auto", card, on_gpus=False) == engine


def test_an_engine_that_was_asked_for_is_taken_though_it_agrees_badly() -> None:
    card = card_with(int8=0.5, float32=1.0)
    assert choose_engine("litert-int8", card, on_gpus=False) == "litert-int8"


def test_an_engine_that_the_folder_lacks_names_those_that_it_has() -> None:
    with pytest.raises(
        ModelFolderError,
        match=r"--engine litert-int8: .* no model_int8\.tflite; .*litert-float, keras",
    ):
        choose_engine("litert-int8", card_with(float32=1.0), on_gpus=False)
