"""Ray on this machine, or on the cluster that the job was submitted to.

The only module that starts Ray.
"""

import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import ray
import ray.data
from ray._private import ray_constants
from ray.job_config import JobConfig

from galaxy_models.cluster.embedded_processes import without_needless_processes
from galaxy_models.cluster.ray_errors import start_error
from galaxy_models.cluster.ray_output import raylet_in_log
from galaxy_models.cluster.resources import Resources
from galaxy_models.cluster.this_machine import ray_is_named, ray_is_up
from galaxy_models.errors import ResourceError
from galaxy_models.storage import s3_settings

logger = logging.getLogger(__name__)

RETRIED_STATUS = r"AWS Error UNKNOWN \(HTTP status 5"
PROBE_TIMEOUT_S = 10.0
JOIN_ATTEMPTS = "1"  # instead of 20: each waits for a head node to start
CLUSTER_VARIABLE = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR
TOKEN_VARIABLES = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}
RAY_TOKEN_LOGGER = "ray._private.authentication.authentication_token_setup"


@contextmanager
def joined_cluster() -> Iterator[Resources | None]:
    """Join the cluster that ``RAY_ADDRESS`` names before any slow step.

    So an unsuitable cluster is refused at once. Without a cluster, ``ray_session``
    starts an embedded Ray later, after all other checks, as that takes seconds.

    Yields:
        The resources of the cluster; None if the job is not on one.

    Raises:
        ResourceError: the cluster does not answer, or refuses this job.
    """
    if ray_is_up() or ray_is_named():
        with ray_session() as resources:
            yield resources
    else:
        yield None


@contextmanager
def ray_session() -> Iterator[Resources]:
    """Join the cluster that ``RAY_ADDRESS`` names, else start Ray embedded here.

    ``ray job submit`` sets ``RAY_ADDRESS`` for its jobs. The embedded Ray ends with
    the session; a joined cluster keeps running.

    Yields:
        The resources of the cluster.

    Raises:
        ResourceError: the cluster at ``RAY_ADDRESS`` does not answer, or refuses this
            job (another version, a missing token).
    """
    if ray.is_initialized():  # a caller's session: use it, leave it running
        with _ray_data_settings():
            yield _resources()
        return
    address = os.environ.get("RAY_ADDRESS")
    if address:
        _check_answers(address)
        os.environ.setdefault("RAY_gcs_server_port_wait_time_s", JOIN_ATTEMPTS)
    else:  # its note that it uses a token needs no action
        logging.getLogger(RAY_TOKEN_LOGGER).setLevel(logging.ERROR)
        with suppress(OSError):  # home is not writable: Ray reports it if it matters
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
        _warn_if_busy(resources)
        yield resources


def ray_is_embedded() -> bool:
    """Whether this process's Ray runs below it, and so ends with it."""
    node = ray._private.worker._global_node
    return node is not None and bool(node.is_head())


def _make_private_token() -> None:
    """Make Ray's token file readable by its owner only, creating it if needed.

    Ray would make it readable by everybody; whoever on this machine can read it can run
    code in the embedded Ray.
    """
    if not TOKEN_VARIABLES.isdisjoint(os.environ):
        return
    path = Path.home() / ".ray" / "auth_token"
    path.parent.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent) as private:
        private.write(secrets.token_hex(32))
        private.flush()
        with suppress(FileExistsError):  # keep it: jobs that start together share it
            os.link(private.name, path)
    path.chmod(0o600)


@contextmanager
def _started_ray(address: str | None) -> Iterator[None]:
    try:
        with (
            _listening_on_loopback(is_embedded=not address),
            nullcontext() if address else without_needless_processes(),
            _own_sigterm_handler(),
        ):
            ray.init(
                address=address or "local",
                logging_level=logging.WARNING,
                log_to_driver=False,  # job_log carries what a reader needs
                **(_cluster_options() if address else _embedded_options()),
            )
    except Exception as error:  # Ray raises bare ones ("node timed out …")
        raise start_error(address, error) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _listening_on_loopback(*, is_embedded: bool) -> Iterator[None]:
    """Make an embedded Ray that starts now listen on this machine only.

    On Windows and macOS Ray does so by default. Its processes read the environment
    variable; this process read it when it imported Ray. On Linux there is no other way:
    Ray replaces 127.0.0.1 by the machine's address.
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
    """Keep this process's handler: Ray's prints all threads' stacks and exits."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread() and before is not None:
            signal.signal(signal.SIGTERM, before)


def _cluster_options() -> dict[str, Any]:
    """Give a cluster's workers the driver's access to its object store.

    An embedded Ray inherits the environment. A cluster's workers get it in a function
    that Ray stores: ``env_vars`` would show it in their processes' arguments, in Ray's
    logs and on its dashboard.
    """
    variables = s3_settings.environment()
    if not variables:
        return {}
    return {"runtime_env": {"worker_process_setup_hook": _environment_of(variables)}}


def _embedded_options() -> dict[str, Any]:
    """Let the workers import from the working directory only if this process does.

    Ray puts that folder first on their paths, where a stray ``numpy.py`` would be taken
    for the library, but for drivers that have no folder here, such as Ray Client's.
    """
    here = os.path.realpath(os.curdir)
    imports_here = here in map(os.path.realpath, sys.path)  # "" is here, too
    job_config = JobConfig(_client_job=not imports_here)
    return {"include_dashboard": False, "job_config": job_config}


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
    """Apply this project's settings for every dataset; restore a caller's after."""
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


def _warn_if_busy(resources: Resources) -> None:
    """Warn that others hold CPUs or GPUs: Ray would wait for them silently."""
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
