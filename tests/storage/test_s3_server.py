"""The tests' own S3 server is a real one: it keeps objects and refuses strangers."""

import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import fs
from s3_server import S3Server

from galaxy_models import storage


def test_what_pyarrow_writes_pandas_reads_with_the_environment_alone(
    s3_bucket: str,
) -> None:
    filesystem, path = fs.FileSystem.from_uri(s3_bucket)
    table = pa.table({"object_id": [1, 2]})

    pa.parquet.write_table(table, f"{path}/sky.parquet", filesystem=filesystem)

    assert pd.read_parquet(f"{s3_bucket}/sky.parquet")["object_id"].tolist() == [1, 2]


def test_every_bucket_is_new(s3_server: S3Server) -> None:
    assert s3_server.make_bucket() != s3_server.make_bucket()


@pytest.mark.parametrize(
    ("variable", "complaint"),
    [
        ("AWS_SECRET_ACCESS_KEY", "ACCESS_DENIED|SIGNATURE|HTTP status 403"),
        ("AWS_ACCESS_KEY_ID", "INVALID_ACCESS_KEY_ID|HTTP status 403"),
    ],
)
def test_a_wrong_key_or_secret_is_refused(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch, variable: str, complaint: str
) -> None:
    monkeypatch.setenv(variable, "wrong")
    filesystem, path = fs.FileSystem.from_uri(s3_bucket)

    with pytest.raises(OSError, match=complaint):
        filesystem.get_file_info(fs.FileSelector(path))


def test_the_secret_is_not_in_the_servers_repr(s3_server: S3Server) -> None:
    assert s3_server.secret_key not in repr(s3_server)


def test_a_file_is_copied_within_the_store_and_its_date_is_told(
    s3_bucket: str, tmp_path: Path
) -> None:
    began_s = time.time()
    storage.write_bytes(f"{s3_bucket}/a/1.parquet", b"rows")
    assert storage.modified_s(f"{s3_bucket}/a/2.parquet") is None

    storage.copy_file(f"{s3_bucket}/a/1.parquet", f"{s3_bucket}/b/2.parquet")
    storage.copy_file(f"{s3_bucket}/b/2.parquet", str(tmp_path / "c" / "3.parquet"))

    assert storage.read_bytes(f"{s3_bucket}/b/2.parquet") == b"rows"
    assert (tmp_path / "c" / "3.parquet").read_bytes() == b"rows"
    written_s = storage.modified_s(f"{s3_bucket}/b/2.parquet")
    assert written_s is not None
    assert written_s > began_s - 2  # a store may cut its dates to seconds
