"""Whole objects: a request each, never more than is allowed, by whatever keys serve."""

import errno
from pathlib import Path

import numpy as np
import pytest
from fault_proxy import FaultProxy
from s3_server import S3Server

from galaxy_models import storage
from galaxy_models.errors import StoreAccessError
from galaxy_models.images.decode import DecodeRule, read_images
from galaxy_models.storage import s3

PROFILE = """[survey]
aws_access_key_id = {server.access_key}
aws_secret_access_key = {server.secret_key}
"""


def test_an_object_costs_one_request(
    s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write_bytes(f"{s3_bucket}/a", b"galaxy")
    with FaultProxy(s3_server.endpoint_url, share=0) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint_url)
        for _ in range(5):
            assert storage.read_bytes(f"{s3_bucket}/a", max_bytes=6) == b"galaxy"

    assert proxy.num_requests == 5


@pytest.mark.parametrize("key", ["a b/ü+%20.jpg", "deep/er/x=1,y&z.jpg", "empty"])
def test_keys_of_all_letters_and_empty_objects_come_back(
    s3_bucket: str, key: str
) -> None:
    data = b"" if key == "empty" else key.encode()
    storage.write_bytes(f"{s3_bucket}/{key}", data)

    assert storage.read_bytes(f"{s3_bucket}/{key}") == data


def test_an_object_over_the_limit_is_not_read_and_its_image_fails_as_too_large(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write_bytes(f"{s3_bucket}/vast.jpg", b"1234567")
    with pytest.raises(OSError, match="7 bytes, over 6") as raised:
        storage.read_bytes(f"{s3_bucket}/vast.jpg", max_bytes=6)
    monkeypatch.setattr("galaxy_models.images.files.MAX_IMAGE_BYTES", 6)
    _, (error,) = read_images(["vast.jpg"], s3_bucket, DecodeRule(image_size=8))

    assert raised.value.errno == errno.EFBIG
    assert str(error).startswith("too_large: ")


def test_a_path_that_no_store_can_have_makes_a_failed_row_not_a_failed_job(
    s3_bucket: str,
) -> None:
    images, errors = read_images(
        ["a//b.jpg", "none.jpg"], s3_bucket, DecodeRule(image_size=8)
    )

    assert [str(error).partition(":")[0] for error in errors] == [
        "unreadable",
        "missing",
    ]
    assert not np.any(images)


def test_keys_of_a_profile_serve_where_the_environment_has_none(
    s3_server: S3Server,
    s3_bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage.write_bytes(f"{s3_bucket}/a", b"galaxy")
    profile = tmp_path / "credentials"
    profile.write_text(PROFILE.format(server=s3_server))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profile))
    monkeypatch.setenv("AWS_PROFILE", "survey")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    assert storage.read_bytes(f"{s3_bucket}/a") == b"galaxy"


def test_without_any_key_the_store_is_asked_unsigned_and_its_refusal_told(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write_bytes(f"{s3_bucket}/a", b"galaxy")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    monkeypatch.setattr(s3, "_last_read", {})
    with pytest.raises(StoreAccessError, match="AWS_ACCESS_KEY_ID is not set"):
        storage.read_bytes(f"{s3_bucket}/a")


def test_an_endpoint_that_is_no_url_is_refused_in_a_line(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://not a host")
    monkeypatch.setattr(s3, "_last_read", {})

    with pytest.raises(StoreAccessError, match="'http://not a host' is no URL"):
        storage.read_bytes(f"{s3_bucket}/a")
