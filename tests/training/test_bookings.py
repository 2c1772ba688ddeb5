"""Where a plan trains, and what it books there for each worker."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from catalog_files import unread_catalog

from galaxy_models.cluster.resources import Resources
from galaxy_models.config import TrainConfig
from galaxy_models.training.labels import Labels
from galaxy_models.training.on_ray import scaling_config
from galaxy_models.training.plan import RAY_TRAIN_NAME, Workers, ends_sooner_here
from galaxy_models.training.request import Request
from galaxy_models.training.stored_examples import DECODE_CPUS

TWO_GPU_HOSTS = Resources(cpus_by_host=(16, 16), gpus_by_host=(2, 2))
TWO_CPU_HOSTS = Resources(cpus_by_host=(4, 4))


def fitting(resources: Resources, **flags: Any) -> Workers:
    return Workers.fitting(TrainConfig(catalog="c", output="o", **flags), resources)


def test_each_worker_books_one_gpu_and_its_share_of_the_hosts_cpus() -> None:
    workers = fitting(TWO_GPU_HOSTS)
    booking = scaling_config(workers)
    assert (workers.num, workers.threads, workers.use_gpu) == (4, 8, True)
    assert booking.num_workers == 4
    assert booking.use_gpu
    assert booking.resources_per_worker == {"CPU": 8 - DECODE_CPUS, "GPU": 1}
    assert booking.placement_strategy == "PACK"


def test_one_process_takes_all_cpus_of_its_machine_and_no_gpu() -> None:
    many = Resources(cpus_by_host=(32,), gpus_by_host=(1,))
    assert Workers.alone(many) == Workers(1, 32, use_gpu=False)


def test_fewer_workers_than_gpus_book_one_gpu_each() -> None:
    booking = scaling_config(fitting(TWO_GPU_HOSTS, num_workers=2))
    assert booking.num_workers == 2
    assert booking.resources_per_worker == {"CPU": 16 - DECODE_CPUS, "GPU": 1}


def test_without_gpus_workers_book_cpus_on_hosts_of_their_own() -> None:
    booking = scaling_config(fitting(TWO_CPU_HOSTS))
    assert booking.num_workers == 2
    assert not booking.use_gpu
    assert booking.resources_per_worker == {"CPU": pytest.approx(4 - DECODE_CPUS)}
    assert booking.placement_strategy == "SPREAD"


def asked(output: Path, num_galaxies: int = 1000, **flags: Any) -> Request:
    """A training of so many galaxies at 224 px, 150 kB each."""
    counts = Counter(round=num_galaxies)
    return Request(
        TrainConfig(catalog="c", output=str(output), **flags),
        str(output),
        True,
        unread_catalog(num_galaxies),
        Labels({"training": counts, "validation": Counter()}, {}),
        None,
        None,
    )


LAPTOP = Resources(cpus_by_host=(8,))


def test_a_small_training_stays_in_a_process_of_this_machine(tmp_path: Path) -> None:
    assert ends_sooner_here(asked(tmp_path), LAPTOP)
    assert ends_sooner_here(asked(tmp_path, num_workers=1), LAPTOP)


@pytest.mark.parametrize(
    ("machine", "changes"),
    [
        (TWO_CPU_HOSTS, {}),
        (Resources(cpus_by_host=(8,), gpus_by_host=(1,)), {}),
        (Resources(cpus_by_host=(16,)), {}),  # two workers
        (LAPTOP, {"num_workers": 2}),
        (LAPTOP, {"num_galaxies": 2000}),
        (LAPTOP, {"margin_fraction": 0.5, "crop_fraction": 0.5}),
    ],
)
def test_what_is_large_or_wants_several_workers_goes_to_ray(
    machine: Resources, changes: dict[str, Any], tmp_path: Path
) -> None:
    assert not ends_sooner_here(asked(tmp_path, **changes), machine)


def test_an_unfinished_training_of_ray_s_workers_stays_with_them(
    tmp_path: Path,
) -> None:
    (tmp_path / RAY_TRAIN_NAME).mkdir()
    assert not ends_sooner_here(asked(tmp_path), LAPTOP)
