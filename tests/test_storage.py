"""Paths, URIs and output folders."""

from pathlib import Path

import pytest

from galaxy_models import storage
from galaxy_models.errors import InputError, OutputError

MARKER = "_run.json"
RECORD = {"--network": "lenet5", "classes": ("a", "b")}


@pytest.fixture
def earlier_results(tmp_path: Path) -> Path:
    """A folder that a finished job left."""
    folder = tmp_path / "results"
    (folder / "part").mkdir(parents=True)
    (folder / MARKER).write_text("{}")
    (folder / "a.parquet").write_text("old")
    (folder / "part" / "b.parquet").write_text("old")
    return folder


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


def test_deleting_a_folder_takes_its_content_and_a_missing_one_is_no_error(
    earlier_results: Path,
) -> None:
    storage.delete_folder(str(earlier_results))
    storage.delete_folder(str(earlier_results))

    assert not earlier_results.exists()


def test_a_folder_is_copied_with_its_folders(
    earlier_results: Path, tmp_path: Path
) -> None:
    target = tmp_path / "copies" / "of" / "results"

    storage.copy_folder(str(earlier_results), str(target))

    assert (target / MARKER).read_text() == "{}"
    assert (target / "part" / "b.parquet").read_text() == "old"


def test_a_new_output_folder_is_taken_but_not_made(tmp_path: Path) -> None:
    output = tmp_path / "new"

    assert storage.check_output(str(output), MARKER, overwrite=False) == str(output)
    assert not output.exists()


def test_an_empty_output_folder_is_taken(tmp_path: Path) -> None:
    storage.check_output(str(tmp_path), MARKER, overwrite=False)


def test_a_catalog_staged_by_an_interrupted_run_is_not_in_the_way(
    tmp_path: Path,
) -> None:
    (tmp_path / storage.STAGING_NAME).mkdir()

    storage.check_output(str(tmp_path), MARKER, overwrite=False)


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_output_that_is_a_file_is_refused(tmp_path: Path, overwrite: bool) -> None:
    path = tmp_path / "predictions"
    path.touch()

    with pytest.raises(OutputError, match=f"--output {path} is a file; name a folder"):
        storage.check_output(str(path), MARKER, overwrite)


@pytest.mark.parametrize("overwrite", [False, True])
def test_somebody_elses_folder_is_never_overwritten(
    tmp_path: Path, overwrite: bool
) -> None:
    (tmp_path / "thesis.tex").touch()

    with pytest.raises(
        OutputError, match=r"holds something else \(thesis\.tex\); name a new or empty"
    ):
        storage.check_output(str(tmp_path), MARKER, overwrite)


def test_earlier_results_are_refused_with_the_flag_that_replaces_them(
    earlier_results: Path,
) -> None:
    with pytest.raises(OutputError, match="holds earlier results; .*--overwrite"):
        storage.check_output(str(earlier_results), MARKER, overwrite=False)


def test_earlier_results_stand_untouched_after_the_check_with_overwrite(
    earlier_results: Path,
) -> None:
    storage.check_output(str(earlier_results), MARKER, overwrite=True)

    assert (earlier_results / "part" / "b.parquet").read_text() == "old"


def test_an_output_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"file is a file"):
        storage.check_output(f"{tmp_path}/file/predictions", MARKER, overwrite=False)


def test_an_interrupted_jobs_folder_is_refused_as_unfinished(
    earlier_results: Path,
) -> None:
    storage.begin_output(str(earlier_results), RECORD)

    with pytest.raises(OutputError, match="holds unfinished results; .*--overwrite"):
        storage.check_output(str(earlier_results), MARKER, overwrite=False)
    storage.check_output(str(earlier_results), MARKER, overwrite=True)


def test_beginning_empties_the_folder_but_for_the_staged_catalog(
    earlier_results: Path,
) -> None:
    staged = earlier_results / storage.STAGING_NAME / "catalog.parquet"
    staged.parent.mkdir()
    staged.write_text("rows")

    storage.begin_output(str(earlier_results), RECORD)

    assert storage.list_names(str(earlier_results)) == [
        storage.STAGING_NAME,
        storage.UNFINISHED_NAME,
    ]
    assert staged.read_text() == "rows"


def test_beginning_makes_a_folder_that_is_not_there(tmp_path: Path) -> None:
    storage.begin_output(str(tmp_path / "new"), RECORD)

    assert (tmp_path / "new").is_dir()


def test_an_unfinished_job_goes_on_with_what_it_left(earlier_results: Path) -> None:
    uri = str(earlier_results)
    storage.begin_output(uri, RECORD)
    (earlier_results / "half.parquet").write_text("rows")

    assert storage.check_output(uri, MARKER, overwrite=False, resume=True) == uri
    assert storage.begin_output(uri, RECORD, resume=True)
    assert (earlier_results / "half.parquet").read_text() == "rows"
    assert not storage.begin_output(uri, RECORD)
    assert not (earlier_results / "half.parquet").exists()


def test_another_job_may_not_go_on_and_hears_what_differs(
    earlier_results: Path,
) -> None:
    uri = str(earlier_results)
    storage.begin_output(uri, RECORD)
    other = {"--network": "lenet5", "classes": ["a", "c"]}

    with pytest.raises(
        OutputError, match=r"classes was \['a', 'b'\], now \['a', 'c'\]"
    ):
        storage.begin_output(uri, other, resume=True)


def test_there_is_nothing_to_go_on_with_in_a_new_folder(tmp_path: Path) -> None:
    uri = str(tmp_path / "new")
    assert storage.check_output(uri, MARKER, overwrite=False, resume=True) == uri
    assert not storage.begin_output(uri, RECORD, resume=True)


def test_finished_results_are_refused_whatever_may_be_resumed(
    earlier_results: Path,
) -> None:
    with pytest.raises(OutputError, match="holds earlier results"):
        storage.check_output(str(earlier_results), MARKER, False, resume=True)


def test_finishing_leaves_results_only(earlier_results: Path) -> None:
    storage.begin_output(str(earlier_results), RECORD)
    (earlier_results / storage.STAGING_NAME).mkdir()
    (earlier_results / MARKER).write_text("{}")

    storage.finish_output(str(earlier_results))

    assert storage.list_names(str(earlier_results)) == [MARKER]
