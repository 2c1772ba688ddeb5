"""A catalog names files below its image root, and no others unless told so."""

import pytest

from galaxy_models.errors import ImageDecodeError, InputError
from galaxy_models.images.allowed_paths import image_uri


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("1.jpg", "/sky/1.jpg"),
        ("a/b/1.jpg", "/sky/a/b/1.jpg"),
        ("./a//1.jpg", "/sky/a/1.jpg"),
        ("a/../1.jpg", "/sky/1.jpg"),
        ("..a/1.jpg", "/sky/..a/1.jpg"),
        ("~/1.jpg", "/sky/~/1.jpg"),
        ("a:b.jpg", "/sky/a:b.jpg"),
        ("/sky/1.jpg", "/sky/1.jpg"),
        ("//sky/1.jpg", "/sky/1.jpg"),
        ("file:///sky/1.jpg", "/sky/1.jpg"),
        ("/other/../sky/1.jpg", "/sky/1.jpg"),
    ],
)
def test_what_lies_below_the_root_is_found(path: str, uri: str) -> None:
    assert image_uri(path, "/sky") == uri


@pytest.mark.parametrize(
    "path",
    [
        "../1.jpg",
        "a/../../1.jpg",
        "../skyline/1.jpg",
        "..",
        "",
        "a/..",
        "/",
        "/etc/passwd",
        "/skyline/1.jpg",
        "/sky/../etc/passwd",
        "//etc/passwd",
        "file:///etc/passwd",
        "file://sky/1.jpg",
        "file:///sky/../etc/passwd",
        "s3://bucket/1.jpg",
        "s3://",
        "a\0.jpg",
    ],
)
def test_what_lies_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ImageDecodeError) as caught:
        image_uri(path, "/sky")

    assert caught.value.reason == "refused"


@pytest.mark.parametrize(
    "uri", ["http://host/1.jpg", "S3://bucket/1.jpg", "gs://bucket/1.jpg", "a/b://c"]
)
def test_a_scheme_that_was_not_allowed_is_refused(uri: str) -> None:
    with pytest.raises(ImageDecodeError, match="unknown scheme .*; use a local path"):
        image_uri(uri, "/", ["s3://bucket"])


@pytest.mark.parametrize(
    "path", ["1.jpg", "/etc/passwd", "file:///a/1.jpg", "../../../1.jpg"]
)
def test_the_root_of_all_files_holds_every_local_file(path: str) -> None:
    assert image_uri(path, "/").startswith("/")


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("1.jpg", "s3://bucket/sky/1.jpg"),
        ("a/../1.jpg", "s3://bucket/sky/1.jpg"),
        ("s3://bucket/sky/1.jpg", "s3://bucket/sky/1.jpg"),
        ("a//1.jpg", "s3://bucket/sky/a//1.jpg"),
    ],
)
def test_keys_below_a_root_in_a_store_are_found(path: str, uri: str) -> None:
    assert image_uri(path, "s3://bucket/sky") == uri


@pytest.mark.parametrize(
    "path",
    [
        "../1.jpg",
        "../../bucket2/sky/1.jpg",
        "s3://bucket/skyline/1.jpg",
        "s3://bucket/sky/../1.jpg",
        "s3://bucket/sky",
        "/sky/1.jpg",
    ],
)
def test_keys_elsewhere_are_refused(path: str) -> None:
    with pytest.raises(ImageDecodeError, match="refused"):
        image_uri(path, "s3://bucket/sky")


@pytest.mark.parametrize("prefix", ["/disk", "/disk/", "file:///disk", "/a/../disk"])
def test_an_allowed_folder_holds_absolute_paths(prefix: str) -> None:
    allowed = ["s3://bucket/cutouts/", prefix]

    assert image_uri("/disk/1.jpg", "/sky", allowed) == "/disk/1.jpg"
    key = "s3://bucket/cutouts/1.jpg"
    assert image_uri(key, "/sky", allowed) == key


@pytest.mark.parametrize(
    "path", ["/disk2/1.jpg", "/disk", "s3://bucket/1.jpg", "../disk/1.jpg"]
)
def test_an_allowed_folder_allows_no_other_and_no_climbing(path: str) -> None:
    allowed = ["/disk", "s3://bucket/cutouts"]

    with pytest.raises(ImageDecodeError, match="refused: .* does not lie below /sky"):
        image_uri(path, "/sky", allowed)


@pytest.mark.parametrize("root", ["/sky", "/sky/", "/a/../sky", "file:///sky"])
def test_a_root_may_be_spelled_in_many_ways(root: str) -> None:
    assert image_uri("1.jpg", root) == "/sky/1.jpg"


def test_a_root_of_an_unknown_scheme_is_no_fault_of_the_image() -> None:
    with pytest.raises(InputError, match="unknown scheme 'http'"):
        image_uri("1.jpg", "http://host")


@pytest.mark.parametrize("scheme", ["s3", "https"])
def test_a_password_in_a_catalog_is_refused_and_not_repeated(scheme: str) -> None:
    with pytest.raises(ImageDecodeError, match="refused") as refusal:
        image_uri(f"{scheme}://key:hid/den@bucket/1.jpg", "/sky", ("s3://", "/"))
    assert "hid" not in str(refusal.value)
