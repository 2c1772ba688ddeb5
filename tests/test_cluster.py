"""How work is spread over what a cluster holds."""

import contextlib
import os
from pathlib import Path

import pytest
from job_process import pids_below

from galaxy_models.cluster import (
    Resources,
    ray_session,
    scoring_workers,
    training_workers,
)
from galaxy_models.errors import ResourceError

LISTENING = "0A"  # in /proc/net/tcp
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


def test_a_cluster_that_does_not_answer_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with (
        pytest.raises(ResourceError, match=r"RAY_ADDRESS=127\.0\.0\.1:9.*ray start"),
        ray_session(),
    ):
        pass


@pytest.mark.slow
def test_an_embedded_ray_listens_to_this_machine_alone(ray_here: None) -> None:
    sockets = listening_sockets([os.getpid(), *pids_below(os.getpid())])

    assert len(sockets) > 3  # Ray's own processes
    assert {address for address in sockets if not is_loopback(address)} == set()


def listening_sockets(pids: list[int]) -> list[str]:
    """Addresses that processes listen on, in hexadecimal, as Linux has them."""
    owned = set()
    for pid in pids:
        with contextlib.suppress(OSError):  # ended meanwhile
            links = list(Path(f"/proc/{pid}/fd").iterdir())
            owned |= {os.readlink(link) for link in links if link.is_symlink()}
    tables = [Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6")]
    entries = [line.split() for text in tables for line in text.splitlines()[1:]]
    return [
        entry[1].partition(":")[0]
        for entry in entries
        if entry[3] == LISTENING and f"socket:[{entry[9]}]" in owned
    ]


def is_loopback(address: str) -> bool:
    """Whether it is 127.0.0.1, also in IPv6's form, or ::1."""
    is_mapped = address.startswith("0" * 16 + "FFFF0000")
    return (
        address.endswith("7F")
        and (len(address) == 8 or is_mapped)
        or (address == "0" * 24 + "01000000")
    )
