"""Which store, and whose keys: what the environment says.

Endpoint and credentials come from there (``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID``,
``AWS_SECRET_ACCESS_KEY``, ``AWS_REGION``, …), so that no pickled filesystem and no
process's arguments hold a secret.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pyarrow import fs

ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")  # the first counts
REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")

Settings = tuple[tuple[str, str], ...]


@contextmanager
def endpoint(url: str | None) -> Iterator[None]:
    """Direct this process to another store than AWS while the block runs.

    Processes that it starts meanwhile, Ray's workers among them, inherit the setting.

    Args:
        url: ``http://…`` or ``https://…``; None leaves the environment as it is.
    """
    names = ENDPOINT_VARIABLES if url is not None else ()
    before = {name: os.environ.get(name) for name in names}
    os.environ.update({name: str(url) for name in names})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def environment() -> dict[str, str]:
    """The variables that select the store and the credentials."""
    return {name: os.environ[name] for name in os.environ if name.startswith("AWS_")}


def current() -> Settings:
    """The same, as it is handed to many reads, of which each would look again."""
    return tuple(sorted(environment().items()))


def region(bucket: str) -> str | None:
    """Give the region set; without one AWS is asked, and other stores ignore it."""
    name = next(filter(None, map(os.environ.get, REGION_VARIABLES)), None)
    if name is None and endpoint_url() is None:
        name = fs.resolve_s3_region(bucket)
    return name


def endpoint_url() -> str | None:
    """The store's; None: AWS."""
    return next(filter(None, map(os.environ.get, ENDPOINT_VARIABLES)), None)
