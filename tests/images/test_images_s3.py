"""Images and catalogs in an object store: whose fault a missing image is."""

from pathlib import Path

import pytest
from fault_proxy import FaultProxy
from s3_server import S3Server

from galaxy_models import storage
from galaxy_models.config import CatalogConfig
from galaxy_models.errors import (
    CatalogError,
    ImageDecodeError,
    StorageError,
    StoreAccessError,
    UnreachableStoreError,
)
from galaxy_models.images.files import read_files
from galaxy_models.scoring.prefetch import prefetch_files
from galaxy_models.storage import s3
from galaxy_models.tables.catalog import open_catalog
from galaxy_models.tables.formats import open_table

DEAD_ENDPOINT = "http://127.0.0.1:9"
FOR_EVER_S = 1e5  # beyond the limit of a test
NUM_IMAGES = 300


@pytest.fixture
def local_catalog(tmp_path: Path) -> str:
    """A table on disk whose images lie elsewhere."""
    path = tmp_path / "sky.csv"
    rows = [f"{index},{index}.jpg" for index in range(30)]
    path.write_text("\n".join(["object_id,image", *rows]))
    return str(path)


def test_a_missing_object_or_bucket_is_a_failed_row(s3_bucket: str) -> None:
    storage.write_bytes(f"{s3_bucket}/a.jpg", b"jpeg")
    paths = ["a.jpg", "nowhere.jpg", "s3://no-such-bucket/a.jpg", None]

    good, *others = read_files(paths, s3_bucket, ["s3://"])

    assert good == b"jpeg"
    reasons = [other.reason for other in others if isinstance(other, ImageDecodeError)]
    assert reasons == ["missing"] * 3


def test_a_store_that_stops_answering_is_no_failed_row(
    s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PATIENCE_S", 1.0)
    with FaultProxy(s3_server.endpoint_url, share=1, faults=("500",)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint_url)
        with pytest.raises(StorageError, match="no good answer"):
            list(prefetch_files(["a.jpg"] * NUM_IMAGES, s3_bucket))

    assert proxy.num_requests < NUM_IMAGES  # not a second's tries for every image


def test_an_object_that_alone_is_refused_is_a_failed_row(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")

    [refused] = read_files(["a.jpg"], s3_bucket)

    assert isinstance(refused, ImageDecodeError)
    assert refused.reason == "unreadable"
    assert "denies access" in refused.detail


def test_images_behind_a_dead_endpoint_are_not_called_missing(
    s3_bucket: str, local_catalog: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PATIENCE_S", FOR_EVER_S)
    monkeypatch.setenv("AWS_ENDPOINT_URL", DEAD_ENDPOINT)
    config = CatalogConfig(catalog=local_catalog, image_root=s3_bucket)

    with pytest.raises(UnreachableStoreError, match=DEAD_ENDPOINT):
        open_catalog(config, "unused")


def test_images_that_are_all_refused_are_not_called_missing(
    s3_bucket: str, local_catalog: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    config = CatalogConfig(catalog=local_catalog, image_root=s3_bucket)

    with pytest.raises(StoreAccessError, match="denies access"):
        open_catalog(config, "unused")


def test_images_that_are_not_in_the_bucket_are_called_missing(
    s3_bucket: str, local_catalog: str
) -> None:
    config = CatalogConfig(catalog=local_catalog, image_root=s3_bucket)

    with pytest.raises(CatalogError, match=f"none of the first 20 .*{s3_bucket}/0.jpg"):
        open_catalog(config, "unused")


def test_a_catalog_whose_store_fails_is_not_called_broken(
    s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PATIENT_ATTEMPTS", 1)
    uri = f"{s3_bucket}/sky.csv"
    storage.write_bytes(uri, b"object_id,image\n1,1.jpg\n")
    with FaultProxy(s3_server.endpoint_url, share=0, faults=("503",)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint_url)
        source = open_table(uri)
        proxy.share = 1
        with pytest.raises(StorageError, match=f"{uri}.*same command again"):
            list(source.read_batches(["image"]))


def test_a_catalog_that_cannot_be_staged_names_the_bucket(
    s3_bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "1.jpg").touch()
    (tmp_path / "sky.csv").write_text("object_id,image\n1,1.jpg\n")

    with pytest.raises(StoreAccessError, match="no bucket 'no-such-bucket'"):
        open_catalog(
            CatalogConfig(catalog=f"{tmp_path}/sky.csv"), "s3://no-such-bucket/staged"
        )
