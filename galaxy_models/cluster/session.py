"""Ray on this machine or the cluster that the job was submitted to.

The only module that starts Ray. It knows nothing of galaxies.
"""

import logging
import os
import secrets
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import ray
import ray.data
from ray._private import ray_constants

from galaxy_models.cluster.ray_errors import start_error
from galaxy_models.cluster.ray_output import raylet_in_log
from galaxy_models.cluster.resources import Resources
from galaxy_models.errors import ResourceError
from galaxy_models.storage import s3

logger = logging.getLogger(__name__)

RETRIED_STATUS = r"AWS Error UNKNOWN \(HTTP status 5"
PROBE_TIMEOUT_S = 10.0
JOIN_ATTEMPTS = "1"  # of 20: each waits for a head that starts, and says why not
CLUSTER_VARIABLE = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR
TOKEN_VARIABLES = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}
RAY_TOKEN_LOGGER = "ray._private.authentication.authentication_token_setup"


@contextmanager
def joined_cluster() -> Iterator[Resources | None]:
    """Join the cluster that ``RAY_ADDRESS`` names before anything that takes long.

    So a cluster that cannot serve is refused at once. Where there is none, Ray starts
    embedded when all else is checked, with ``ray_session``: it takes seconds.

    Yields:
        The resources of the cluster; None where the job is not on one.

    Raises:
        ResourceError: the cluster does not answer, or does not take this job.
    """
    if ray.is_initialized() or os.environ.get("RAY_ADDRESS"):
        with ray_session() as resources:
            yield resources
    else:
        yield None


@contextmanager
def ray_session() -> Iterator[Resources]:
    """Join the cluster that ``RAY_ADDRESS`` names, else start Ray embedded here.

    ``ray job submit`` sets ``RAY_ADDRESS`` for its jobs. The embedded Ray ends with
    the session; a joined cluster goes on.

    Yields:
        The resources of the cluster.

    Raises:
        ResourceError: the cluster at ``RAY_ADDRESS`` does not answer, or does not take
            this job: another version, a token.
    """
    if ray.is_initialized():  # a caller's session: use it, leave it running
        with _ray_data_settings():
            yield _resources()
        return
    address = os.environ.get("RAY_ADDRESS")
    if address:
        _check_answers(address)
        os.environ.setdefault("RAY_gcs_server_port_wait_time_s", JOIN_ATTEMPTS)
    else:  # says that it wants a token: nothing to act on
        logging.getLogger(RAY_TOKEN_LOGGER).setLevel(logging.ERROR)
        with suppress(OSError):  # a home that cannot be written: Ray tells, if need be
            _make_private_token()
    with raylet_in_log(), _started_ray(address), _ray_data_settings():
        resources = _resources()
        logger.info(
            "Ray %s: %d CPUs, %d GPUs on %d host(s)",
            f"at {address}" if address else "on this machine",
            resources.num_cpus,
            resources.num_gpus,
            resources.num_hosts,
        )
        _tell_if_busy(resources)
        yield resources


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


@contextmanager
def _started_ray(address: str | None) -> Iterator[None]:
    try:
        with _listening_on_loopback(is_embedded=not address), _own_sigterm_handler():
            ray.init(
                address=address or "local",
                logging_level=logging.WARNING,
                log_to_driver=False,  # job_log carries what a reader needs
                **(_cluster_options() if address else {"include_dashboard": False}),
            )
    except Exception as error:  # Ray raises bare ones ("node timed out …")
        raise start_error(address, error) from error
    try:
        yield
    finally:
        ray.shutdown()


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
    variables = s3.environment()
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


@contextmanager
def _ray_data_settings() -> Iterator[None]:
    """Settings that every dataset of this project runs under; a caller's come back."""
    context = ray.data.DataContext.get_current().copy()
    context.use_datasource_v2 = False  # the new reader starts 32 processes a read
    context.execution_options.preserve_order = True  # the same seed, the same order
    # Ray's own list lacks what a request without an answer's body comes to.
    if RETRIED_STATUS not in context.retried_io_errors:
        context.retried_io_errors.append(RETRIED_STATUS)
    context.enable_progress_bars = False  # the job's log has its own progress lines
    data_logger = logging.getLogger("ray.data")
    level = data_logger.level
    # What it logs as errors are tracebacks, and come as exceptions besides.
    data_logger.setLevel(logging.CRITICAL)
    try:
        with ray.data.DataContext.current(context):
            yield
    finally:
        data_logger.setLevel(level)


def _tell_if_busy(resources: Resources) -> None:
    """Say that others hold CPUs or GPUs: Ray would let this job wait without a word."""
    free = ray.available_resources()
    for unit, number in (("CPU", resources.num_cpus), ("GPU", resources.num_gpus)):
        num_held = number - int(free.get(unit, 0))
        if num_held:
            logger.warning(
                "others hold %d of these %d %ss: this job waits for those that it "
                "needs (`ray status` shows who holds what)",
                num_held,
                number,
                unit,
            )


def _resources() -> Resources:
    hosts = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return Resources(
        cpus_by_host=tuple(int(host.get("CPU", 0)) for host in hosts),
        gpus_by_host=tuple(int(host.get("GPU", 0)) for host in hosts),
    )
