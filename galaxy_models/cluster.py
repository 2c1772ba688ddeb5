"""Ray on this machine or the cluster that the job was submitted to.

The only module that starts Ray. It knows CPUs, GPUs and hosts; it knows nothing of
galaxies.
"""

import logging
import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import ray
import ray.data
from ray._private import ray_constants

from galaxy_models import object_store
from galaxy_models.errors import ResourceError

logger = logging.getLogger(__name__)

CPUS_PER_TRAINING_WORKER = 8  # a guess: not measured on hosts with as many

RETRIED_STATUS = r"AWS Error UNKNOWN \(HTTP status 5"
PROBE_TIMEOUT_S = 10.0
CLUSTER_VARIABLE = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR
TOKEN_VARIABLES = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}
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
    else:  # says that it wants a token: nothing to act on
        logging.getLogger(RAY_TOKEN_LOGGER).setLevel(logging.ERROR)
        with suppress(OSError):  # a home that cannot be written: Ray tells, if need be
            _make_private_token()
    _start_ray(address)
    try:
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
    finally:
        ray.shutdown()


def _make_private_token() -> None:
    """Make Ray's token, or take it from others: Ray's own file is open to everybody.

    Whoever on this machine can read it can run code in the embedded Ray.
    """
    if not TOKEN_VARIABLES.isdisjoint(os.environ):
        return
    path = Path.home() / ".ray" / "auth_token"
    path.parent.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent) as private:
        private.write(secrets.token_hex(32))
        private.flush()
        with suppress(FileExistsError):  # one stays; jobs that start together share it
            os.link(private.name, path)
    path.chmod(0o600)


def _start_ray(address: str | None) -> None:
    try:
        with _listening_on_loopback(is_embedded=not address):
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


@contextmanager
def _listening_on_loopback(*, is_embedded: bool) -> Iterator[None]:
    """Have a Ray that is started here and now listen to this machine alone.

    So it does on Windows and macOS by itself. Its processes read the variable; this
    one did so when it imported Ray. On Linux it takes no other way: it replaces
    127.0.0.1, where that is asked for, by the machine's address.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER, os.environ.get(CLUSTER_VARIABLE)
    ray_constants.ENABLE_RAY_CLUSTER = not is_embedded
    os.environ[CLUSTER_VARIABLE] = "0" if is_embedded else "1"
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before[0]
        os.environ.pop(CLUSTER_VARIABLE)
        if before[1] is not None:
            os.environ[CLUSTER_VARIABLE] = before[1]


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
