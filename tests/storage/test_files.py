"""Paths, URIs and output folders."""

from pathlib import Path
from typing import Any

import pytest

from galaxy_models import storage
from galaxy_models.errors import InputError, StorageError
from galaxy_models.storage import files


def test_a_relative_path_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert storage.absolute_uri("sky/galaxies.csv") == f"{tmp_path}/sky/galaxies.csv"


def test_a_tilde_is_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    assert storage.absolute_uri("~/model") == f"{tmp_path}/model"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("/sky/galaxies.csv", "/sky/galaxies.csv"),
        ("file:///sky/galaxies.csv", "/sky/galaxies.csv"),
        ("s3://bucket/sky/", "s3://bucket/sky"),
        ("s3://bucket", "s3://bucket"),
    ],
)
def test_absolute_uris_keep_their_place(uri: str, expected: str) -> None:
    assert storage.absolute_uri(uri) == expected


@pytest.mark.parametrize("uri", ["http://host/model", "gs://bucket/model"])
def test_an_unknown_scheme_is_refused_with_the_known_ones(uri: str) -> None:
    scheme = uri.partition(":")[0]

    with pytest.raises(
        InputError, match=f"{uri}.*unknown scheme '{scheme}'; use a local path or s3://"
    ):
        storage.absolute_uri(uri)
    with pytest.raises(InputError, match="unknown scheme"):
        storage.read_bytes(uri)


def test_only_object_stores_are_remote() -> None:
    assert storage.is_remote("s3://bucket/key")
    assert not storage.is_remote("/sky/s3")
    assert not storage.is_remote("file:///sky")


@pytest.mark.parametrize(
    ("folder", "path", "expected"),
    [
        ("/sky", "a/1.jpg", "/sky/a/1.jpg"),
        ("/sky/", "1.jpg", "/sky/1.jpg"),
        ("s3://bucket/sky", "a/1.jpg", "s3://bucket/sky/a/1.jpg"),
        ("/sky", "/elsewhere/1.jpg", "/elsewhere/1.jpg"),
        ("/sky", "s3://bucket/1.jpg", "s3://bucket/1.jpg"),
    ],
)
def test_a_path_joins_its_folder_unless_it_stands_for_itself(
    folder: str, path: str, expected: str
) -> None:
    assert storage.join(folder, path) == expected


def test_the_parent_of_a_key_is_its_prefix() -> None:
    assert storage.parent("s3://bucket/sky/galaxies.csv") == "s3://bucket/sky"


def test_bytes_come_back_and_their_folder_is_made(tmp_path: Path) -> None:
    uri = f"{tmp_path}/new/folder/file.bin"

    storage.write_bytes(uri, b"\x00galaxy\xff")

    assert storage.read_bytes(uri) == b"\x00galaxy\xff"
    assert storage.is_file(uri)
    assert storage.is_folder(f"{tmp_path}/new")


def test_what_cannot_be_written_is_said_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StorageError, match=r"cannot write .*/file/a \(.*\); .* again"):
        storage.write_bytes(f"{tmp_path}/file/a", b"x")


def test_a_file_uri_and_its_path_are_one_file(tmp_path: Path) -> None:
    storage.write_bytes(f"file://{tmp_path}/a", b"x")

    assert storage.read_bytes(f"{tmp_path}/a") == b"x"


def test_a_missing_file_is_neither_file_nor_folder_and_cannot_be_read(
    tmp_path: Path,
) -> None:
    uri = f"{tmp_path}/nowhere"

    assert not storage.is_file(uri)
    assert not storage.is_folder(uri)
    assert storage.list_names(uri) == []
    with pytest.raises(FileNotFoundError):
        storage.read_bytes(uri)


def test_names_are_listed_in_order(tmp_path: Path) -> None:
    for name in ("b", "c", "a"):
        (tmp_path / name).touch()

    assert storage.list_names(str(tmp_path)) == ["a", "b", "c"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file, and one in a folder within."""
    (tmp_path / "source" / "part").mkdir(parents=True)
    (tmp_path / "source" / "a").write_text("outer")
    (tmp_path / "source" / "part" / "b").write_text("inner")
    return tmp_path / "source"


def test_deleting_a_folder_takes_its_content_and_a_missing_one_is_no_error(
    folder: Path,
) -> None:
    storage.delete_folder(str(folder))
    storage.delete_folder(str(folder))

    assert not folder.exists()


def test_deleting_a_file_that_is_not_there_is_no_error(folder: Path) -> None:
    storage.delete_file(str(folder / "a"))
    storage.delete_file(str(folder / "a"))

    assert not (folder / "a").exists()


def test_a_folder_is_copied_with_its_folders(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "copies" / "of" / "results"

    storage.copy_folder(str(folder), str(target))

    assert (target / "a").read_text() == "outer"
    assert (target / "part" / "b").read_text() == "inner"


def test_a_folder_is_deleted_also_where_the_first_answer_was_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "chunks"
    folder.mkdir()
    (folder / "a").touch()
    work_on, lost = files._work_on, [FileNotFoundError("asked again")]

    def losing(*arguments: Any, is_look: bool = False) -> Any:
        if lost and not is_look:
            raise lost.pop()
        return work_on(*arguments, is_look=is_look)

    monkeypatch.setattr(files, "_work_on", losing)

    storage.delete_folder(str(folder))

    assert not folder.exists()
