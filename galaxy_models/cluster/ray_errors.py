"""What Ray's errors mean: the one map from them to this project's.

Ray wraps what a worker raised, and reports much else in the text of a bare error. The
texts that this project recognises stand here; those of S3 stand in ``storage.s3``.
"""

import re

import ray

from galaxy_models.errors import (
    GalaxyBatchError,
    ModelFolderError,
    ResourceError,
    extract_error,
)
from galaxy_models.storage import s3

TOKEN_TROUBLE = re.compile(  # what Ray says
    r"Authentication token is missing or incorrect"
    r"|no authentication token was found"
    r"|RAY_AUTH_TOKEN_PATH is set but file cannot be opened or is empty: .*?(?=\. )"
)
VERSIONS = re.compile(r"Ray: (\S+)\s+Python: (\S+)")  # the cluster's, then this job's


def worker_error(error: Exception) -> GalaxyBatchError | None:
    """Find the error of ours, or of an object store, with which a worker failed.

    Args:
        error: what Ray Train or Ray Data raised; it quotes the worker's traceback.

    Returns:
        The error to raise in its place; None if it is neither.
    """
    trace = str(error)
    return s3.failure_in(trace) or extract_error(trace, ModelFolderError)


def host_error(host: str, error: ray.exceptions.RayTaskError) -> ResourceError:
    """Say that a host cannot run this project's code.

    Args:
        host: its address.
        error: what a task there failed with.
    """
    return ResourceError(
        f"host {host} of this cluster cannot run this job "
        f"({str(error).splitlines()[-1]}); install the package there, or "
        "submit with `ray job submit --working-dir .`"
    )


def start_error(address: str | None, error: Exception) -> ResourceError:
    """Say in a line why Ray did not start or let this job in, and what helps.

    Args:
        address: of the cluster; None where Ray was to start on this machine.
        error: what ``ray.init`` raised.
    """
    text = f"{error} {error.__cause__ or ''}"
    versions = VERSIONS.findall(text)
    if len(versions) == 2:
        of_cluster, of_job = (f"Ray {r} on Python {p}" for r, p in versions)
        return ResourceError(
            f"the cluster at {address} runs {of_cluster}, this job {of_job}: give all "
            "machines the same Python, and the packages of infra/constraints.txt."
        )
    if address and (token := TOKEN_TROUBLE.search(text)):
        return ResourceError(
            f"the cluster at {address} wants its token ({token[0]}): set "
            "RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH to a file that holds the "
            "cluster's token (~/.ray/auth_token if left out)."
        )
    reason = " ".join(str(error).split())
    return ResourceError(
        f"Ray did not start at {address or 'this machine'}: {reason}. Try again when "
        "the machine is less busy, or name a cluster with RAY_ADDRESS."
    )
