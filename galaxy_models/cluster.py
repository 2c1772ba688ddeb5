"""Ray on this machine or the cluster that the job was submitted to.

The only module that starts Ray. It knows CPUs, GPUs and hosts; it knows nothing of
galaxies.
"""

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import ray
import ray.data

from galaxy_models import object_store
from galaxy_models.errors import ResourceError
from galaxy_models.ray_messages import raylet_in_log

logger = logging.getLogger(__name__)

CPUS_PER_TRAINING_WORKER = 8  # a guess: not measured on hosts with as many

RETRIED_STATUS = r"AWS Error UNKNOWN \(HTTP status 5"
PROBE_TIMEOUT_S = 10.0
RAY_TOKEN_LOGGER = "ray._private.authentication.authentication_token_setup"


@dataclass(frozen=True)
class Resources:
    """What the cluster holds."""

    cpus_by_host: tuple[int, ...]
    gpus_by_host: tuple[int, ...] = ()
    """Of the same hosts; empty where none has any."""

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


@contextmanager
def ray_session() -> Iterator[Resources]:
    """Join the cluster that ``RAY_ADDRESS`` names, else start Ray embedded here.

    ``ray job submit`` sets ``RAY_ADDRESS`` for its jobs. The embedded Ray ends with
    the session; a joined cluster goes on.

    Yields:
        The resources of the cluster.

    Raises:
        ResourceError: the cluster at ``RAY_ADDRESS`` does not answer.
    """
    if ray.is_initialized():  # a caller's session: use it, leave it running
        yield _resources()
        return
    address = os.environ.get("RAY_ADDRESS")
    if address:
        _check_answers(address)
    else:  # says that it made itself a token: nothing to act on
        logging.getLogger(RAY_TOKEN_LOGGER).setLevel(logging.ERROR)
    with raylet_in_log(), _started_ray(address):
        _configure_ray_data()
        resources = _resources()
        logger.info(
            "Ray %s: %d CPUs, %d GPUs on %d host(s)",
            f"at {address}" if address else "on this machine",
            resources.num_cpus,
            resources.num_gpus,
            resources.num_hosts,
        )
        yield resources


@contextmanager
def _started_ray(address: str | None) -> Iterator[None]:
    try:
        with _own_sigterm_handler():
            ray.init(
                address=address or "local",
                logging_level=logging.WARNING,
                log_to_driver=False,  # job_log carries what a reader needs
                **(_cluster_options() if address else {"include_dashboard": False}),
            )
    except Exception as error:  # Ray raises bare ones ("node timed out …")
        raise ResourceError(
            f"Ray did not start at {address or 'this machine'}: {error}. Try again "
            "when the machine is less busy, or name a cluster with RAY_ADDRESS."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _own_sigterm_handler() -> Iterator[None]:
    """Keep this process's handler: Ray's would print where each thread was, and end."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread() and before is not None:
            signal.signal(signal.SIGTERM, before)


def _cluster_options() -> dict[str, Any]:
    """Let a cluster's workers reach the object store that the driver reaches.

    An embedded Ray inherits the environment. A cluster's workers get it in a function,
    which Ray stores: as ``env_vars`` it would stand in their processes' arguments, in
    Ray's logs and on its dashboard.
    """
    variables = object_store.environment()
    if not variables:
        return {}
    return {"runtime_env": {"worker_process_setup_hook": _environment_of(variables)}}


def _environment_of(variables: dict[str, str]) -> Callable[[], None]:
    def set_environment() -> None:
        import os  # the function travels without its module

        os.environ.update(variables)

    return set_environment


def _check_answers(address: str) -> None:
    """Probe a cluster's port: ``ray.init`` would try a dead one for minutes."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if not port.isdigit():  # "auto": Ray finds it by itself
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), PROBE_TIMEOUT_S).close()
    except OSError as error:
        raise ResourceError(
            f"no Ray cluster answers at RAY_ADDRESS={address} ({error}): start one "
            "with `ray start --head`, or unset RAY_ADDRESS to use this machine alone."
        ) from error


def _configure_ray_data() -> None:
    """Settings that every dataset of this project runs under."""
    context = ray.data.DataContext.get_current()
    context.use_datasource_v2 = False  # the new reader starts 32 processes a read
    context.execution_options.preserve_order = True  # the same seed, the same order
    # Ray's own list lacks what a request without an answer's body comes to.
    if RETRIED_STATUS not in context.retried_io_errors:
        context.retried_io_errors.append(RETRIED_STATUS)
    context.enable_progress_bars = False  # the job's log has its own progress lines
    # What it tells as errors are tracebacks, and come as exceptions besides.
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)


def _resources() -> Resources:
    hosts = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return Resources(
        cpus_by_host=tuple(int(host.get("CPU", 0)) for host in hosts),
        gpus_by_host=tuple(int(host.get("GPU", 0)) for host in hosts),
    )


def training_workers(
    asked: int | Literal["auto"], resources: Resources, batch_size: int
) -> tuple[int, int]:
    """Spread training over what is there.

    Args:
        asked: a number of workers, or ``auto``: one per GPU; without GPUs one per
            8 CPUs, at least one a host.
        resources: what the cluster holds.
        batch_size: galaxies a step; there are no more workers than that.

    Returns:
        Number of workers, and CPUs (threads) for each.

    Raises:
        ResourceError: more workers than GPUs, or without GPUs than CPUs.
    """
    if asked == "auto":
        by_cpus = resources.num_cpus // CPUS_PER_TRAINING_WORKER
        num_with_cpus = sum(cpus > 0 for cpus in resources.cpus_by_host)
        num_places = resources.num_gpus or max(num_with_cpus, by_cpus, 1)
        num_workers = min(num_places, batch_size)
    else:
        num_workers = asked
        check_num_workers(asked, resources)
    return num_workers, _cpus_for_each(num_workers, resources)


def _cpus_for_each(num_workers: int, resources: Resources) -> int:
    """Most CPUs that every worker can have on one host; hosts may differ.

    With GPUs every worker has one, so that only the CPUs beside them count.
    """

    def num_places(cpus: int) -> int:
        if not resources.num_gpus:
            return sum(host // cpus for host in resources.cpus_by_host)
        return sum(
            min(host // cpus, gpus)
            for host, gpus in zip(
                resources.cpus_by_host, resources.gpus_by_host, strict=True
            )
        )

    cpus = max(1, resources.num_cpus // num_workers)
    while cpus > 1 and num_places(cpus) < num_workers:
        cpus -= 1
    return cpus


def scoring_workers(asked: int | Literal["auto"], resources: Resources) -> int:
    """Number of predicting actors: one per GPU, else one per CPU.

    Raises:
        ResourceError: more were asked for than there are GPUs or CPUs.
    """
    if asked == "auto":
        return max(1, resources.num_gpus or resources.num_cpus)
    check_num_workers(asked, resources)
    return asked


def check_num_workers(asked: int, resources: Resources) -> None:
    """Refuse more workers than there are places for.

    Raises:
        ResourceError: saying what was asked for and what is there.
    """
    unit, available = (
        ("GPU", resources.num_gpus)
        if resources.num_gpus
        else ("CPU", resources.num_cpus)
    )
    if asked > available:
        raise ResourceError(
            f"--num-workers {asked}: the cluster has {available} {unit}(s) on "
            f"{resources.num_hosts} host(s); ask for at most {available}, or auto."
        )
