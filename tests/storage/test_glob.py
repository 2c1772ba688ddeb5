"""Patterns name the files that a shell's would; hidden files are passed by."""

from pathlib import Path
from typing import Any

import pytest
from pyarrow import fs

from galaxy_models import storage
from galaxy_models.errors import InputError
from galaxy_models.storage import glob


@pytest.fixture
def sky(tmp_path: Path) -> Path:
    names = ("s-08.tar", "s-09.tar", "s-10.tar", "a/b/x.parquet", "a/y.parquet")
    for name in (*names, "_metadata", "a/.z.parquet", "a/_tmp/z.parquet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("s-*.tar", ["s-08.tar", "s-09.tar", "s-10.tar"]),
        ("s-0?.tar", ["s-08.tar", "s-09.tar"]),
        ("s-[1-9]*.tar", ["s-10.tar"]),
        ("s-{08..10}.tar", ["s-08.tar", "s-09.tar", "s-10.tar"]),
        ("s-{08,10}.tar", ["s-08.tar", "s-10.tar"]),
        ("{s-0*,a/y.parquet}", ["a/y.parquet", "s-08.tar", "s-09.tar"]),
        ("a/*.parquet", ["a/y.parquet"]),
        ("a/**/x.parquet", ["a/b/x.parquet"]),
        ("nothing-*", []),
    ],
)
def test_a_pattern_is_expanded_as_a_shell_would(
    pattern: str, names: list[str], sky: Path
) -> None:
    expected = [f"{sky}/{name}" for name in names]
    assert glob.expand_pattern(f"{sky}/{pattern}") == expected


def test_a_name_that_braces_spell_out_must_be_there(sky: Path) -> None:
    with pytest.raises(InputError, match=r"no file .*s-11\.tar, which .*\{08\.\.12\}"):
        glob.expand_pattern(f"{sky}/s-{{08..12}}.tar")


def test_the_folder_of_a_pattern_holds_all_its_files() -> None:
    assert glob.pattern_folder("s3://bucket/a/b-*/c/*.parquet") == "s3://bucket/a"
    assert glob.pattern_folder("/sky/part-?.parquet") == "/sky"


def test_hidden_files_and_folders_are_passed_by(sky: Path) -> None:
    assert list(glob.walk_files(str(sky))) == [
        "a/b/x.parquet", "a/y.parquet", "s-08.tar", "s-09.tar", "s-10.tar",
    ]  # fmt: skip


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert list(glob.walk_files(str(tmp_path / "nowhere"))) == []


def test_what_jobs_wrote_below_a_folder_is_passed_by_whole(sky: Path) -> None:
    for name in ("a/out/_run.json", "a/out/x.parquet", "a/out/deep/y.png"):
        (sky / name).parent.mkdir(parents=True, exist_ok=True)
        (sky / name).touch()
    passed_by: list[str] = []

    assert list(glob.walk_files(str(sky), passed_by)) == [
        "a/b/x.parquet", "a/y.parquet", "s-08.tar", "s-09.tar", "s-10.tar",
    ]  # fmt: skip
    assert passed_by == ["a/out"]
    assert list(glob.walk_files(str(sky / "a/out"))) == ["deep/y.png", "x.parquet"]


def test_a_folder_costs_one_listing_and_each_directly_in_it_one_more(
    sky: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sky / "out").mkdir()
    (sky / "out" / "_run.json").touch()
    listed: list[str] = []

    class Counted:
        def get_file_info(self, selector: fs.FileSelector) -> Any:
            listed.append(selector.base_dir)
            return fs.LocalFileSystem().get_file_info(selector)

    monkeypatch.setattr(storage, "filesystem_and_path", lambda uri: (Counted(), uri))
    list(glob.walk_files(str(sky)))
    assert listed == [str(sky), str(sky / "a"), str(sky / "out")]
