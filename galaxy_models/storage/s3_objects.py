"""Whole objects of S3, a request each.

pyarrow asks for an object's size first, and takes four times the CPU time
(``tests/benchmarks/store_throughput.py``). An error is told in pyarrow's words, so that
``s3`` knows all of them by the same patterns.
"""

import errno
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from botocore.credentials import Credentials
    from obstore.store import S3Credential, S3Store

CREDENTIALS_LAST = timedelta(minutes=5)  # botocore knows when to renew them
WHOLE_ANSWER_S = 3600  # of an object that keeps coming
DEBUG_SOURCE = "\n\nDebug source:"  # after it, obstore's errors are Rust's
STATUS = re.compile(r"status code: (\d{3})")
TOLD = re.compile(r"<Code>([^<]*)</Code>\s*<Message>([^<]*)</Message>")
HOST = re.compile(r"[\w.:\[\]-]+")


def open_bucket(
    bucket: str,
    endpoint: str | None,
    region: str | None,
    connect_timeout_s: float,
    answer_timeout_s: float,
    environment: dict[str, str],
) -> "S3Store":
    """Open a bucket; nothing is asked of it yet.

    Args:
        bucket: its name.
        endpoint: ``http://…`` or ``https://…``; None: AWS.
        region: None where the store ignores it.
        connect_timeout_s: of a connection (s).
        answer_timeout_s: without a byte (s).
        environment: the ``AWS_…`` variables; their keys come first, then whatever
            botocore finds (a profile, a role of the machine), then no signature.

    Raises:
        OSError: in pyarrow's words, the endpoint is no URL, over which obstore panics.
    """
    from obstore.store import S3Store

    if endpoint and not HOST.fullmatch(urlsplit(endpoint).netloc):
        raise OSError(f"AWS Error INVALID_ENDPOINT: {endpoint!r} is no URL")
    provider = None
    if "AWS_ACCESS_KEY_ID" not in environment:
        provider = _found_credentials()
    return S3Store(
        bucket,
        endpoint=endpoint,
        region=region,
        credential_provider=provider,
        skip_signature="AWS_ACCESS_KEY_ID" not in environment and provider is None,
        client_options={
            "allow_http": bool(endpoint and endpoint.startswith("http://")),
            "connect_timeout": timedelta(seconds=connect_timeout_s),
            "read_timeout": timedelta(seconds=answer_timeout_s),
            "timeout": timedelta(seconds=WHOLE_ANSWER_S),
        },
        retry_config={"max_retries": 0, "retry_timeout": timedelta(0)},
    )


def _found_credentials() -> "_FoundCredentials | None":
    """Look where AWS's tools look; None if there are none."""
    import botocore.session

    found = botocore.session.get_session().get_credentials()
    return _FoundCredentials(found) if found else None


class _FoundCredentials:
    """Keys that botocore found, and renews where they run out."""

    def __init__(self, credentials: "Credentials") -> None:
        self._credentials = credentials

    def __call__(self) -> "S3Credential":
        """Give them, for a few minutes."""
        keys = self._credentials.get_frozen_credentials()
        return {
            "access_key_id": keys.access_key,
            "secret_access_key": keys.secret_key,
            "token": keys.token,
            "expires_at": datetime.now(UTC) + CREDENTIALS_LAST,
        }


def get_object(store: "S3Store", key: str, max_bytes: int | None) -> bytes:
    """Ask for an object once.

    Raises:
        FileNotFoundError: there is no such object.
        OSError: with ``errno.EFBIG``, it is larger than ``max_bytes``; or, in pyarrow's
            words, whatever else the store or the network did.
        ValueError: the key has an empty part, or ``.`` or ``..`` as one.
    """
    import obstore
    from obstore.exceptions import BaseError

    try:
        answer = obstore.get(store, key)
        check_size(answer.range[1], max_bytes)
        return bytes(answer.bytes())
    except FileNotFoundError as error:
        raise FileNotFoundError(key) from error
    except BaseError as error:
        raise _in_pyarrows_words(error) from error


def check_size(num_bytes: int, max_bytes: int | None) -> None:
    """Refuse to read what is too large.

    Raises:
        OSError: with ``errno.EFBIG``.
    """
    if max_bytes is not None and num_bytes > max_bytes:
        raise OSError(errno.EFBIG, f"{num_bytes} bytes, over {max_bytes}")


def _in_pyarrows_words(error: Exception) -> OSError:
    summary = str(error).partition(DEBUG_SOURCE)[0]
    status, told = STATUS.search(summary), TOLD.search(summary)
    if status is None:
        reason = summary.rpartition(" - ")[2]
        return OSError(f"AWS Error NETWORK_CONNECTION: {reason}")
    reason = ": ".join(told.groups()) if told else ""
    return OSError(f"AWS Error UNKNOWN (HTTP status {status[1]}): {reason}")
