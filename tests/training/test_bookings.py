"""What a plan books for each worker, on clusters with and without GPUs."""

from typing import Any

import pytest

from galaxy_models.cluster.resources import Resources
from galaxy_models.config import TrainConfig
from galaxy_models.training.examples import DECODE_CPUS
from galaxy_models.training.plan import Workers

TWO_GPU_HOSTS = Resources(cpus_by_host=(16, 16), gpus_by_host=(2, 2))
TWO_CPU_HOSTS = Resources(cpus_by_host=(4, 4))


def fitting(resources: Resources, **flags: Any) -> Workers:
    return Workers.fitting(TrainConfig(catalog="c", output="o", **flags), resources)


def test_each_worker_books_one_gpu_and_its_share_of_the_hosts_cpus() -> None:
    workers = fitting(TWO_GPU_HOSTS)
    booking = workers.scaling_config()
    assert (workers.num, workers.threads, workers.use_gpu) == (4, 8, True)
    assert booking.num_workers == 4
    assert booking.use_gpu
    assert booking.resources_per_worker == {"CPU": 8 - DECODE_CPUS, "GPU": 1}
    assert booking.placement_strategy == "PACK"


def test_fewer_workers_than_gpus_book_one_gpu_each() -> None:
    booking = fitting(TWO_GPU_HOSTS, num_workers=2).scaling_config()
    assert booking.num_workers == 2
    assert booking.resources_per_worker == {"CPU": 16 - DECODE_CPUS, "GPU": 1}


def test_without_gpus_workers_book_cpus_on_hosts_of_their_own() -> None:
    booking = fitting(TWO_CPU_HOSTS).scaling_config()
    assert booking.num_workers == 2
    assert not booking.use_gpu
    assert booking.resources_per_worker == {"CPU": pytest.approx(4 - DECODE_CPUS)}
    assert booking.placement_strategy == "SPREAD"
