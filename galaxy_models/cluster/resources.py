"""A cluster's CPUs and GPUs, and how many workers fit into it.

It starts nothing. What cannot fit is refused here: Ray would wait for ever.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

from galaxy_models.errors import ResourceError

CPUS_PER_TRAINING_WORKER = 8  # an estimate: not measured on hosts with as many


@dataclass(frozen=True)
class Resources:
    """CPUs and GPUs of the cluster."""

    cpus_by_host: tuple[int, ...]
    gpus_by_host: tuple[int, ...] = ()
    """GPUs of the same hosts; empty if none has any."""

    @property
    def num_gpus(self) -> int:
        """GPUs of all hosts."""
        return sum(self.gpus_by_host)

    @property
    def num_cpus(self) -> int:
        """CPUs of all hosts."""
        return sum(self.cpus_by_host)

    @property
    def num_hosts(self) -> int:
        """Hosts that are alive."""
        return len(self.cpus_by_host)

    def without_gpus(self) -> Self:
        """Leave the GPUs out."""
        return replace(self, gpus_by_host=())

    def num_places(self, cpus: int = 1) -> int:
        """Count the workers that fit, each with all its CPUs and its GPU on one host.

        Args:
            cpus: CPUs of each worker, besides a GPU if the cluster has any.
        """
        places = [host // cpus for host in self.cpus_by_host]
        if self.num_gpus:
            places = list(map(min, places, self.gpus_by_host))
        return sum(places)


def training_workers(
    asked: int | Literal["auto"], resources: Resources, batch_size: int
) -> tuple[int, int]:
    """Choose the number of training workers.

    Args:
        asked: a number of workers, or ``auto``: one per GPU; without GPUs one per
            8 CPUs, at least one a host.
        resources: of the cluster.
        batch_size: galaxies a step; there are no more workers than that.

    Returns:
        Number of workers, and CPUs (threads) for each.

    Raises:
        ResourceError: more workers than GPUs, or without GPUs than CPUs; or there is
            no place for any.
    """
    check_num_workers(asked, resources)
    if asked != "auto":
        num_workers = asked
    elif resources.num_gpus:
        num_workers = min(resources.num_places(), batch_size)
    else:
        by_cpus = resources.num_cpus // CPUS_PER_TRAINING_WORKER
        num_with_cpus = sum(cpus > 0 for cpus in resources.cpus_by_host)
        num_workers = min(max(num_with_cpus, by_cpus), batch_size)
    return num_workers, cpus_for_each(num_workers, resources)


def cpus_for_each(num_workers: int, resources: Resources) -> int:
    """Most CPUs that every worker can have on one host; hosts may differ."""
    cpus = max(1, resources.num_cpus // num_workers)
    while cpus > 1 and resources.num_places(cpus) < num_workers:
        cpus -= 1
    return cpus


def scoring_workers(asked: int | Literal["auto"], resources: Resources) -> int:
    """Number of predicting actors: one per GPU, else one per CPU.

    Raises:
        ResourceError: more were asked for than there are GPUs or CPUs; or there is no
            place for any.
    """
    check_num_workers(asked, resources)
    return resources.num_places() if asked == "auto" else asked


def check_num_workers(asked: int | Literal["auto"], resources: Resources) -> None:
    """Refuse more workers than there are places for; ``auto`` wants one at least.

    Raises:
        ResourceError: saying what was asked for and what is there.
    """
    places, hosts = resources.num_places(), f"{resources.num_hosts} host(s)"
    if not places:
        raise ResourceError(_nothing_fits(resources, hosts))
    if asked != "auto" and asked > places:
        unit = "GPU(s) with a CPU each" if resources.num_gpus else "CPU(s)"
        raise ResourceError(
            f"--num-workers {asked}: the cluster has {places} {unit} on {hosts}; ask "
            f"for at most {places}, or auto."
        )


def _nothing_fits(resources: Resources, hosts: str) -> str:
    if resources.num_gpus and resources.num_cpus:
        return (
            f"no host of the cluster has a GPU and a CPU ({hosts}, with CPUs "
            f"{_listed(resources.cpus_by_host)} and GPUs "
            f"{_listed(resources.gpus_by_host)}); start those with GPUs again with "
            "`ray start --num-cpus=…`."
        )
    return (
        f"the cluster has 0 CPUs on {hosts}, so nothing can run; add a "
        "host that has some: `ray start --address=…` there."
    )


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))
