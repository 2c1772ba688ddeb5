"""This machine as a process without Ray sees it, and whether there is a Ray to use.

It imports no Ray, which takes longer than a small catalog takes to score.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

from galaxy_models.cluster.resources import Resources

CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds, of so many
DEVICES = Path("/dev")
GPU_DEVICES = ("nvidia[0-9]*", "dxg")  # the second is WSL's


def this_machine() -> Resources:
    """Count the CPUs that this process may use, and the GPUs that it may find."""
    gpus = [path for pattern in GPU_DEVICES for path in DEVICES.glob(pattern)]
    return Resources(cpus_by_host=(_num_cpus(),), gpus_by_host=(len(gpus),))


def _num_cpus() -> int:
    """Count CPUs: what the machine has, taskset leaves and a container is given."""
    if sys.platform == "linux":
        num_cpus = len(os.sched_getaffinity(0))
    else:
        num_cpus = os.cpu_count() or 1
    with suppress(OSError, ValueError):  # there is no file, or no limit: "max"
        time_us, period_us = map(int, CPU_LIMIT.read_text().split())
        num_cpus = min(num_cpus, max(1, time_us // period_us))
    return num_cpus


def ray_is_named() -> bool:
    """Whether the environment names a cluster, as it does in a submitted job."""
    return bool(os.environ.get("RAY_ADDRESS"))


def ray_is_up() -> bool:
    """Whether this process uses a Ray already, as a notebook may."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())
