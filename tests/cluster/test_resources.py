"""How work is spread over what a cluster holds, and what does not fit."""

from typing import Any

import pytest

from galaxy_models.cluster.resources import Resources, scoring_workers, training_workers
from galaxy_models.errors import ResourceError

LAPTOP = Resources(cpus_by_host=(2,))
BATCH_SIZE = 32
GPU_HOST = Resources(cpus_by_host=(16,), gpus_by_host=(4,))


def test_one_training_worker_takes_all_cpus_of_a_laptop() -> None:
    assert training_workers("auto", LAPTOP, BATCH_SIZE) == (1, 2)


def test_two_training_workers_share_the_cpus() -> None:
    assert training_workers(2, LAPTOP, BATCH_SIZE) == (2, 1)


def test_there_is_a_training_worker_and_an_actor_for_each_gpu() -> None:
    assert training_workers("auto", GPU_HOST, BATCH_SIZE) == (4, 4)
    assert scoring_workers("auto", GPU_HOST) == 4


def test_only_cpus_beside_gpus_count_for_workers_that_have_one_each() -> None:
    mixed = Resources(cpus_by_host=(16, 16, 8, 8), gpus_by_host=(0, 0, 1, 1))
    assert training_workers("auto", mixed, BATCH_SIZE) == (2, 8)


def test_workers_on_unequal_hosts_ask_for_no_more_than_fits() -> None:
    unequal = Resources(cpus_by_host=(2, 6))
    assert training_workers("auto", unequal, BATCH_SIZE) == (2, 3)
    assert training_workers(4, unequal, BATCH_SIZE) == (4, 2)


def test_a_head_without_cpus_gets_no_training_worker() -> None:
    headed = Resources(cpus_by_host=(0, 4, 4))
    assert training_workers("auto", headed, BATCH_SIZE) == (2, 4)


def test_there_is_a_scoring_actor_for_each_cpu() -> None:
    assert scoring_workers("auto", LAPTOP) == 2


def test_more_workers_than_cpus_or_gpus_are_refused() -> None:
    with pytest.raises(ResourceError, match=r"--num-workers 3: .* 2 CPU\(s\).*auto"):
        training_workers(3, LAPTOP, BATCH_SIZE)
    with pytest.raises(ResourceError, match=r"--num-workers 5: .* 4 GPU\(s\)"):
        scoring_workers(5, GPU_HOST)


def test_there_are_no_more_training_workers_than_galaxies_in_a_batch() -> None:
    assert training_workers("auto", GPU_HOST, 3) == (3, 5)


@pytest.mark.parametrize("asked", ["auto", 1])
def test_a_cluster_without_cpus_is_refused_whatever_is_asked(asked: Any) -> None:
    head_alone = Resources(cpus_by_host=(0,))
    remedy = r"0 CPUs on 1 host\(s\).*ray start --address"
    with pytest.raises(ResourceError, match=remedy):
        training_workers(asked, head_alone, BATCH_SIZE)
    with pytest.raises(ResourceError, match=remedy):
        scoring_workers(asked, head_alone)


def test_gpus_without_a_cpu_beside_them_are_no_places() -> None:
    split = Resources(cpus_by_host=(8, 0), gpus_by_host=(0, 2))
    remedy = r"with CPUs 8, 0 and GPUs 0, 2\).*--num-cpus"
    with pytest.raises(ResourceError, match=remedy):
        training_workers("auto", split, BATCH_SIZE)
    with pytest.raises(ResourceError, match=remedy):
        scoring_workers("auto", split)


def test_workers_that_find_no_cpu_beside_a_gpu_are_not_started() -> None:
    short = Resources(cpus_by_host=(2, 8), gpus_by_host=(4, 0))
    assert training_workers("auto", short, BATCH_SIZE) == (2, 1)
    assert scoring_workers("auto", short) == 2
    with pytest.raises(ResourceError, match=r"3: .* 2 GPU\(s\) with a CPU each"):
        scoring_workers(3, short)
