"""Every function of ``storage`` in an object store, and what its refusals say."""

import os
import pickle
from pathlib import Path

import pytest
from fault_proxy import Fault, FaultProxy
from s3_server import S3Server

from galaxy_models import storage
from galaxy_models.errors import (
    InputError,
    OutputError,
    StorageError,
    StoreAccessError,
    UnreachableStoreError,
)
from galaxy_models.storage import output_folder, s3, s3_settings

MARKER = "_run.json"
KIND = output_folder.OutputKind("jobs.score", MARKER, ("a.parquet", "part"))
DEAD_ENDPOINT = "http://127.0.0.1:9"
FOR_EVER_S = 1e5  # beyond the limit of a test
NUM_READS = 25


@pytest.fixture
def earlier_results(s3_bucket: str) -> str:
    """A prefix that a finished job left."""
    folder = f"{s3_bucket}/results"
    for name in (MARKER, "a.parquet", "part/b.parquet"):
        storage.write_bytes(f"{folder}/{name}", name.encode())
    return folder


def test_bytes_come_back(s3_bucket: str) -> None:
    uri = f"{s3_bucket}/new/folder/file.bin"

    storage.write_bytes(uri, b"\x00galaxy\xff")

    assert storage.read_bytes(uri) == b"\x00galaxy\xff"
    assert storage.is_file(uri)
    assert not storage.is_folder(uri)
    assert storage.is_folder(f"{s3_bucket}/new")
    assert not storage.is_file(f"{s3_bucket}/new")


def test_writing_leaves_no_directory_keys(s3_server: S3Server, s3_bucket: str) -> None:
    storage.make_folder(f"{s3_bucket}/empty")
    storage.write_bytes(f"{s3_bucket}/full/file", b"x")

    assert storage.list_names(s3_bucket) == ["full"]


def test_a_missing_key_is_neither_file_nor_folder_and_cannot_be_read(
    s3_bucket: str,
) -> None:
    uri = f"{s3_bucket}/nowhere"

    assert not storage.is_file(uri)
    assert not storage.is_folder(uri)
    assert storage.list_names(uri) == []
    with pytest.raises(FileNotFoundError):
        storage.read_bytes(uri)


def test_names_are_listed_in_order_and_not_below_the_folder(s3_bucket: str) -> None:
    for name in ("b", "c/d", "a"):
        storage.write_bytes(f"{s3_bucket}/{name}", b"")

    assert storage.list_names(s3_bucket) == ["a", "b", "c"]


def test_deleting_a_folder_takes_its_content_and_a_missing_one_is_no_error(
    s3_bucket: str, earlier_results: str
) -> None:
    storage.delete_folder(earlier_results)
    storage.delete_folder(earlier_results)

    assert not storage.is_file(f"{earlier_results}/part/b.parquet")


def test_a_folder_is_copied_in_both_directions(
    s3_bucket: str, earlier_results: str, tmp_path: Path
) -> None:
    storage.copy_folder(earlier_results, str(tmp_path / "local"))
    storage.copy_folder(str(tmp_path / "local"), f"{s3_bucket}/copy")

    assert (tmp_path / "local" / "part" / "b.parquet").read_text() == "part/b.parquet"
    assert storage.read_bytes(f"{s3_bucket}/copy/part/b.parquet") == b"part/b.parquet"


def test_an_output_prefix_is_checked_begun_and_finished(s3_bucket: str) -> None:
    uri = output_folder.check_output(f"{s3_bucket}/new/", KIND, overwrite=False)
    output_folder.begin_output(uri, KIND, {})
    assert storage.list_names(uri) == [output_folder.UNFINISHED_NAME]
    storage.write_bytes(f"{uri}/{output_folder.STAGING_NAME}/catalog.parquet", b"rows")
    storage.write_bytes(f"{uri}/{MARKER}", b"{}")
    output_folder.finish_output(uri)

    assert uri == f"{s3_bucket}/new"
    assert storage.list_names(uri) == [MARKER]


def test_earlier_results_are_refused_and_with_overwrite_emptied(
    earlier_results: str,
) -> None:
    with pytest.raises(OutputError, match="holds earlier results; .*--overwrite"):
        output_folder.check_output(earlier_results, KIND, overwrite=False)
    output_folder.check_output(earlier_results, KIND, overwrite=True)
    output_folder.begin_output(earlier_results, KIND, {})

    assert storage.list_names(earlier_results) == [output_folder.UNFINISHED_NAME]


def test_a_uri_without_a_bucket_is_refused() -> None:
    with pytest.raises(InputError, match="'s3://': it names no bucket"):
        storage.absolute_uri("s3://")


@pytest.mark.parametrize("variable", ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"])
def test_wrong_credentials_are_refused_with_the_variables_to_check(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "wrong")

    for work in (storage.is_folder, storage.list_names, storage.read_bytes):
        with pytest.raises(
            StoreAccessError,
            match=f"denies access to {s3_bucket}/a .*AWS_SECRET_ACCESS_KEY and what",
        ):
            work(f"{s3_bucket}/a")
    with pytest.raises(StoreAccessError, match="denies access"):
        storage.write_bytes(f"{s3_bucket}/a", b"")


def test_missing_credentials_are_named_as_such(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(StoreAccessError, match="AWS_ACCESS_KEY_ID is not set"):
        storage.list_names(s3_bucket)


def test_a_missing_bucket_is_not_an_empty_folder(s3_bucket: str) -> None:
    for work in (storage.is_folder, storage.is_file, storage.list_names):
        with pytest.raises(
            StoreAccessError, match="no bucket 'no-such-bucket' at http.*make it"
        ):
            work("s3://no-such-bucket/sky")
    with pytest.raises(StoreAccessError, match="no bucket 'no-such-bucket'"):
        storage.write_bytes("s3://no-such-bucket/sky", b"")
    with pytest.raises(StoreAccessError, match="no bucket 'no-such-bucket'"):
        output_folder.check_output("s3://no-such-bucket/sky", KIND, overwrite=False)


def test_a_dead_endpoint_is_named_without_the_patience_for_one_that_answered(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PATIENCE_S", FOR_EVER_S)
    monkeypatch.setenv("AWS_ENDPOINT_URL", DEAD_ENDPOINT)

    with pytest.raises(
        UnreachableStoreError, match=f"cannot reach .* at {DEAD_ENDPOINT} .*endpoint"
    ):
        storage.is_folder(s3_bucket)


def test_an_endpoint_that_is_no_url_is_told_without_trying_for_long(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://not a host")

    with pytest.raises(StoreAccessError, match="AWS_ENDPOINT_URL"):
        storage.is_folder(s3_bucket)


def test_the_flags_endpoint_comes_before_the_environments(
    s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", DEAD_ENDPOINT)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", DEAD_ENDPOINT)

    with s3_settings.endpoint(None):
        assert os.environ["AWS_ENDPOINT_URL"] == DEAD_ENDPOINT
    with s3_settings.endpoint(s3_server.endpoint_url):
        assert storage.list_names(s3_bucket) == []
    assert os.environ["AWS_ENDPOINT_URL"] == DEAD_ENDPOINT
    assert os.environ["AWS_ENDPOINT_URL_S3"] == DEAD_ENDPOINT


def test_a_pickled_filesystem_holds_no_secret(
    s3_server: S3Server, s3_bucket: str
) -> None:
    filesystem, path = storage.filesystem_and_path(f"{s3_bucket}/a")
    storage.write_bytes(f"{s3_bucket}/a", b"x")
    pickled = pickle.dumps(filesystem)

    assert s3_server.secret_key.encode() not in pickled
    assert pickle.loads(pickled).get_file_info(path).size == 1


@pytest.mark.parametrize("fault", ["500", "503", "reset", "truncated"])
def test_a_store_with_bad_moments_gives_every_object(
    s3_server: S3Server,
    s3_bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
) -> None:
    storage.write_bytes(f"{s3_bucket}/a", b"galaxy" * 1000)
    with FaultProxy(s3_server.endpoint_url, share=0.2, faults=(fault,)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint_url)
        for index in range(NUM_READS):
            storage.write_bytes(f"{s3_bucket}/b{index}", b"spiral")
            assert storage.read_bytes(f"{s3_bucket}/a") == b"galaxy" * 1000
        assert len(storage.list_names(s3_bucket)) == NUM_READS + 1

    assert proxy.faults.total() > NUM_READS / 3


def test_an_answer_that_does_not_come_is_asked_for_again(
    s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "ANSWER_TIMEOUT_S", 1.0)
    storage.write_bytes(f"{s3_bucket}/a", b"galaxy")
    with FaultProxy(
        s3_server.endpoint_url, share=0, faults=("slow",), slow_s=5
    ) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint_url)
        assert [storage.read_bytes(f"{s3_bucket}/a") for _ in range(2)]
        needed, proxy.num_requests, proxy.share = proxy.num_requests, 0, 0.5
        assert [storage.read_bytes(f"{s3_bucket}/a") for _ in range(2)]

    assert proxy.faults.total() > 0
    assert proxy.num_requests >= needed + proxy.faults.total()


def test_a_store_that_stops_answering_fails_the_job_after_a_while(
    s3_server: S3Server, s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PATIENCE_S", 1.0)
    storage.write_bytes(f"{s3_bucket}/a", b"galaxy")
    with FaultProxy(s3_server.endpoint_url, share=0, faults=("503",)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint_url)
        storage.read_bytes(f"{s3_bucket}/a")
        proxy.share = 1
        for work in (storage.read_bytes, storage.is_file, storage.list_names):
            with pytest.raises(
                StorageError, match=r"no good answer for .* in 1 s .*same command again"
            ):
                work(f"{s3_bucket}/a")
        assert proxy.faults["503"] >= 6  # several tries each
        proxy.share = 0
        assert storage.read_bytes(f"{s3_bucket}/a") == b"galaxy"


def test_keys_that_run_out_fail_the_job_but_a_single_refusal_does_not(
    s3_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.write_bytes(f"{s3_bucket}/a", b"galaxy")
    storage.read_bytes(f"{s3_bucket}/a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "run out")

    with pytest.raises(StorageError, match="read before is refused now: .*denies"):
        storage.read_bytes(f"{s3_bucket}/b")


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        ("File …\ngalaxy_models.errors.StorageError: gone; again.\n\nmore", "gone; ag"),
        ("OSError: When writing 'a': AWS Error SLOW_DOWN during PutObject", "'a': AWS"),
    ],
)
def test_a_stores_failure_is_found_in_a_workers_trace(trace: str, message: str) -> None:
    found = s3.failure_in(trace)

    assert found is not None
    assert message in str(found)
    assert "\n" not in str(found)


def test_other_failures_are_not_the_stores() -> None:
    assert s3.failure_in("ValueError: AWS") is None
    assert not s3.is_store_error(OSError("disk full"))
