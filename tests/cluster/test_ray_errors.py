"""What Ray's errors mean to the person who started the job."""

import pytest

from galaxy_models.cluster.ray_errors import host_error, start_error, worker_error
from galaxy_models.errors import GalaxyBatchError, ModelFolderError, StorageError

WRAPPED = "ray::Worker.train() (pid=7)\n  File …\n{}\n\nRay's own remarks"


@pytest.mark.parametrize(
    ("quoted", "kind", "message"),
    [
        ("galaxy_models.errors.StorageError: gone; again.", StorageError, "gone; agai"),
        ("galaxy_models.errors.ModelFolderError: no .keras", ModelFolderError, "no .k"),
        ("OSError: AWS Error SLOW_DOWN during PutObject", StorageError, "SLOW_DOWN"),
    ],
)
def test_a_workers_error_is_the_drivers(
    quoted: str, kind: type[GalaxyBatchError], message: str
) -> None:
    found = worker_error(RuntimeError(WRAPPED.format(quoted)))

    assert type(found) is kind
    assert message in str(found)
    assert "\n" not in str(found)


@pytest.mark.parametrize("quoted", ["ValueError: x", "my.ModelFolderError: no", ""])
def test_what_is_no_error_of_ours_stays_rays(quoted: str) -> None:
    assert worker_error(RuntimeError(WRAPPED.format(quoted))) is None


@pytest.mark.parametrize(
    ("address", "text", "message"),
    [
        (
            "head:6379",
            "mismatch: Ray: 2.60.0\nPython: 3.11.2 … Ray: 2.59.1\nPython: 3.12.0",
            "runs Ray 2.60.0 on Python 3.11.2, this job Ray 2.59.1 on Python 3.12.0",
        ),
        (
            "head:6379",
            "Authentication token is missing or incorrect",
            r"wants its token .*RAY_AUTH_MODE=token",
        ),
        ("head:6379", "node\n timed  out", r"start at head:6379: node timed out\. Try"),
        (None, "node timed out", r"did not start at this machine: .*RAY_ADDRESS"),
    ],
)
def test_a_cluster_that_takes_no_job_is_explained_with_a_remedy(
    address: str | None, text: str, message: str
) -> None:
    with pytest.raises(GalaxyBatchError, match=message):
        raise start_error(address, ConnectionError(text))


def test_a_host_that_lacks_the_package_is_named() -> None:
    error = host_error("10.0.0.7", RuntimeError("…\nModuleNotFoundError: galaxy"))

    assert "host 10.0.0.7" in str(error)
    assert "(ModuleNotFoundError: galaxy)" in str(error)
