"""Patterns name the files that a shell's would; hidden files are passed by."""

from pathlib import Path

import pytest

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
