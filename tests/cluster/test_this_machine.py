"""What a process without Ray knows of its machine."""

from pathlib import Path

import pytest

from galaxy_models.cluster import this_machine as here
from galaxy_models.cluster.this_machine import ray_is_named, this_machine


@pytest.fixture(autouse=True)
def eight_cpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    affinity = "os.sched_getaffinity"
    monkeypatch.setattr(affinity, lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(here, "CPU_LIMIT", tmp_path / "cpu.max")
    monkeypatch.setattr(here, "DEVICES", tmp_path)


@pytest.mark.parametrize(
    ("limit", "num_cpus"),
    [
        (None, 8),
        ("max 100000", 8),
        ("250000 100000", 2),
        ("50000 100000", 1),
        ("1600000 100000", 8),
    ],
)
def test_a_container_s_limit_bounds_the_cpus(
    limit: str | None, num_cpus: int, tmp_path: Path
) -> None:
    if limit is not None:
        (tmp_path / "cpu.max").write_text(f"{limit}\n")
    assert this_machine().num_cpus == num_cpus


def test_gpus_are_seen_by_their_devices(tmp_path: Path) -> None:
    assert this_machine().num_gpus == 0
    for name in ("nvidia0", "nvidia1", "nvidiactl"):
        (tmp_path / name).touch()
    assert this_machine().num_gpus == 2


def test_a_cluster_is_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert not ray_is_named()
    monkeypatch.setenv("RAY_ADDRESS", "")
    assert not ray_is_named()
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert ray_is_named()
