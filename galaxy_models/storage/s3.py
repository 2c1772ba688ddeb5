"""S3: access, errors and retries; with ``s3_…`` beside it all that knows it.

A store fails in three ways. It does not answer, or answers with an error of its own
(500, 503, a broken connection): retried with growing, random pauses, then the job
fails. It refuses: only other keys or another bucket help. Or an object is missing: a
``FileNotFoundError``, as on disk.
"""

import errno
import os
import re
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from pyarrow import fs
from tenacity import (
    Retrying,
    retry_if_exception,
    stop_before_delay,
    wait_random_exponential,
)

from galaxy_models.errors import (
    GalaxyBatchError,
    StorageError,
    StoreAccessError,
    UnreachableStoreError,
    extract_error,
)
from galaxy_models.storage import s3_settings
from galaxy_models.storage.s3_objects import get_object, open_bucket

if TYPE_CHECKING:
    from obstore.store import S3Store

Result = TypeVar("Result")

CONNECT_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 10.0  # without a byte
FIRST_CONTACT_S = 4.0  # of retries, if it never answered: the endpoint may be wrong
PATIENCE_S = 60.0  # of retries, if it answered before
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
PATIENT_ATTEMPTS = 6  # of pyarrow itself, about 15 s

RUN_AGAIN = "when the store is well, run the same command again."

TRANSIENT = re.compile(
    r"AWS Error (NETWORK_CONNECTION|INTERNAL_FAILURE|SLOW_DOWN|SERVICE_UNAVAILABLE"
    r"|THROTTLING|REQUEST_TIMEOUT|UNKNOWN \(HTTP status (5\d\d|429|408)\))"
)
DENIED = re.compile(
    r"AWS Error (ACCESS_DENIED|SIGNATURE_DOES_NOT_MATCH|INVALID_ACCESS_KEY_ID"
    r"|INVALID_SIGNATURE|INVALID_CLIENT_TOKEN_ID|UNRECOGNIZED_CLIENT"
    r"|MISSING_AUTHENTICATION_TOKEN|UNKNOWN \(HTTP status 40[13]\))"
)
NO_BUCKET = re.compile(r"AWS Error NO_SUCH_BUCKET|Bucket '.*' not found")

_answered: set[tuple[str, str | None]] = set()  # bucket and endpoint
_last_read: dict[str, str] = {}  # a path that could be read, by bucket


def filesystem(bucket_uri: str, attempts: int | None = None) -> fs.FileSystem:
    """Open a bucket's filesystem.

    Args:
        bucket_uri: ``s3://bucket``.
        attempts: how often pyarrow tries a request, ``PATIENT_ATTEMPTS`` if left out;
            a pickled filesystem loses this setting and tries 3 times.
    """
    attempts = attempts or PATIENT_ATTEMPTS
    return _filesystem(bucket_uri, attempts, s3_settings.current())


@lru_cache(maxsize=32)
def _filesystem(
    bucket_uri: str, attempts: int, _settings: s3_settings.Settings
) -> fs.FileSystem:
    return fs.S3FileSystem(
        # Which the bare constructor would ignore.
        endpoint_override=s3_settings.endpoint_url(),
        region=s3_settings.region(_bucket(bucket_uri)),
        connect_timeout=CONNECT_TIMEOUT_S,
        request_timeout=ANSWER_TIMEOUT_S,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=attempts),
    )


@lru_cache(maxsize=32)
def _objects(bucket_uri: str, settings: s3_settings.Settings) -> "S3Store":
    return open_bucket(
        _bucket(bucket_uri),
        s3_settings.endpoint_url(),
        s3_settings.region(_bucket(bucket_uri)),
        CONNECT_TIMEOUT_S,
        ANSWER_TIMEOUT_S,
        dict(settings),
    )


def _bucket(uri: str) -> str:
    return _path(uri).partition("/")[0]


def _path(uri: str) -> str:
    return uri.partition("://")[2]


def ask(
    uri: str, work: Callable[[fs.FileSystem, str], Result], *, is_look: bool = False
) -> Result:
    """Run an operation on an object, with retries while the store fails.

    Args:
        uri: ``s3://bucket/key``.
        work: the operation, called with a filesystem and the object's path in it; may
            be called several times.
        is_look: as for ``retried``.

    Returns:
        The result of ``work``.

    Raises:
        FileNotFoundError: there is no such object.
        GalaxyBatchError: as for ``retried``.
    """
    bucket_uri = f"s3://{_bucket(uri)}"
    return retried(
        uri, lambda: work(filesystem(bucket_uri, attempts=1), _path(uri)), is_look
    )


def retried(uri: str, attempt: Callable[[], Result], is_look: bool = False) -> Result:
    """Repeat an attempt while the store fails.

    Args:
        uri: ``s3://bucket/key``.
        attempt: what is asked of the store.
        is_look: whether this may be a job's first contact with the store, in which a
            wrong endpoint is reported within seconds.

    Returns:
        The result of ``attempt``.

    Raises:
        FileNotFoundError: there is no such object.
        OSError: with ``errno.EFBIG``, it is larger than ``attempt`` may read.
        UnreachableStoreError: the store never answered.
        StoreAccessError: it refused.
        StorageError: it stopped answering for ``PATIENCE_S``.
    """
    store = (f"s3://{_bucket(uri)}", s3_settings.endpoint_url())
    is_first = is_look and store not in _answered
    started_s = time.monotonic()
    try:
        try:
            result = attempt()  # mostly the only one, and tenacity takes CPU time
        except OSError as error:
            if not is_transient(error):
                raise
            spent_s = time.monotonic() - started_s
            patience_s = FIRST_CONTACT_S if is_first else PATIENCE_S
            result = _repeated(attempt, error, patience_s - spent_s)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise
        raise explained(uri, error, is_first) from error
    _answered.add(store)
    return result


def _repeated(
    attempt: Callable[[], Result], failure: OSError, patience_s: float
) -> Result:
    """Go on after a first attempt that failed."""
    failures = [failure]

    def first_or_next() -> Result:
        if failures:
            raise failures.pop()
        return attempt()

    retrying = Retrying(
        retry=retry_if_exception(is_transient),
        wait=wait_random_exponential(FIRST_PAUSE_S, LONGEST_PAUSE_S),
        stop=stop_before_delay(patience_s),
        reraise=True,
    )
    return retrying(first_or_next)


def is_store_error(error: BaseException) -> bool:
    """Whether an error is an object store's, not a disk's or a table's."""
    return isinstance(error, OSError) and "AWS Error" in str(error)


def is_transient(error: BaseException) -> bool:
    """Whether a retry may succeed: the store is busy or its connection broke."""
    return isinstance(error, OSError) and bool(TRANSIENT.search(str(error)))


def failure_in(trace: str) -> StorageError | None:
    """Find a store's failure in another process's traceback."""
    reported = extract_error(trace, StorageError)
    if reported:
        return reported
    seen = re.search(rf"[^\n]*{TRANSIENT.pattern}[^\n]*", trace)
    if seen:
        return StorageError(f"{seen[0].strip()}; {RUN_AGAIN}")
    return None


def explained(uri: str, error: OSError, is_first: bool = False) -> GalaxyBatchError:
    """Explain a store's error and its remedy in one line.

    Args:
        uri: the object.
        error: raised by pyarrow.
        is_first: whether the store has never answered yet.
    """
    store = s3_settings.endpoint_url() or "AWS"
    detail = " ".join(str(error).rpartition("AWS Error ")[2].split()).rstrip(".")
    if is_transient(error) and is_first:
        return UnreachableStoreError(
            f"cannot reach {uri} at {store} ({detail}); check --s3-endpoint-url or "
            "AWS_ENDPOINT_URL, and the network."
        )
    if is_transient(error):
        return StorageError(
            f"{store} gave no good answer for {uri} in {PATIENCE_S:.0f} s ({detail}); "
            f"{RUN_AGAIN}"
        )
    if DENIED.search(str(error)):
        has_key = bool(os.environ.get("AWS_ACCESS_KEY_ID"))
        return StoreAccessError(
            f"{store} denies access to {uri} ({detail}); check AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY and what that key may do"
            f"{'.' if has_key else ' (AWS_ACCESS_KEY_ID is not set).'}"
        )
    if NO_BUCKET.search(str(error)):
        return _no_bucket(uri)
    return StoreAccessError(
        f"{store} cannot serve {uri} ({detail}); check the URI, --s3-endpoint-url or "
        "AWS_ENDPOINT_URL, and AWS_REGION."
    )


def _no_bucket(uri: str) -> StoreAccessError:
    store = s3_settings.endpoint_url() or "AWS"
    return StoreAccessError(
        f"there is no bucket {_bucket(uri)!r} at {store}, which {uri} needs; make it, "
        "or check the URI, --s3-endpoint-url or AWS_ENDPOINT_URL."
    )


def check_bucket(uri: str) -> None:
    """Refuse a bucket that does not exist: a store only reports the missing object.

    Raises:
        StoreAccessError: there is no such bucket.
    """
    try:
        _find_bucket(f"s3://{_bucket(uri)}", s3_settings.endpoint_url())
    except FileNotFoundError as error:
        raise _no_bucket(uri) from error


@lru_cache(maxsize=64)  # existing ones only: exceptions are not cached
def _find_bucket(bucket_uri: str, _endpoint_url: str | None) -> None:
    try:
        info = ask(bucket_uri, lambda store, bucket: store.get_file_info(bucket))
    except StoreAccessError:  # not allowed to look; access to the objects will show it
        return
    if info.type == fs.FileType.NotFound:
        raise FileNotFoundError(bucket_uri)


def read(
    uri: str, max_bytes: int | None = None, settings: s3_settings.Settings | None = None
) -> bytes:
    """Read a whole object.

    Args:
        uri: ``s3://bucket/key``.
        max_bytes: that it may have.
        settings: what ``s3_settings.current`` gave; None: look.

    Raises:
        FileNotFoundError: there is no such object.
        OSError: with ``errno.EFBIG``, it is larger than ``max_bytes``.
        StoreAccessError: this object is refused.
        StorageError: the store stopped answering, or now refuses what it gave before.
    """
    bucket, key = f"s3://{_bucket(uri)}", _path(uri).partition("/")[2]

    def read_all() -> bytes:
        store = _objects(bucket, settings or s3_settings.current())
        return get_object(store, key, max_bytes)

    try:
        data = retried(uri, read_all)
    except StoreAccessError as error:
        _check_still_welcome(uri, error)
        raise
    _last_read[_bucket(uri)] = _path(uri)
    return data


def _check_still_welcome(uri: str, error: StoreAccessError) -> None:
    """Distinguish one refused object from keys that expired while the job ran."""
    good_path = _last_read.get(_bucket(uri))
    if good_path is None:
        return
    try:
        ask(f"s3://{good_path}", lambda store, path: store.get_file_info(path))
    except StoreAccessError:
        raise StorageError(
            f"what could be read before is refused now: {error} Then run the same "
            "command again."
        ) from error
