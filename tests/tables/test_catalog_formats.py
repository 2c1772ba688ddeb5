"""Text tables of mixed types, and what is no catalog at all, are told in a line."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.csv as pa_csv
import pytest
from catalog_files import part, rows_of

from galaxy_models.errors import CatalogError, StorageError
from galaxy_models.tables.catalog import Catalog

Opener = Callable[..., Catalog]


def test_a_header_that_is_not_utf8_is_refused(sky: Path, opened: Opener) -> None:
    (sky / "a.csv").write_bytes("object_id,image,größe\n1,1.jpg,2\n".encode("latin1"))

    with pytest.raises(CatalogError, match=r"cannot read .*a\.csv: .*utf-8"):
        opened(sky / "a.csv")


@pytest.mark.parametrize(
    ("name", "character", "words"),
    [
        ("a.csv", ";", "semicolons"),
        ("a.csv", "|", "bars"),
        ("a.csv", "\t", "tabs"),
        ("a.tsv", ",", "commas"),
    ],
)
def test_another_separator_is_named_with_the_remedy(
    name: str, character: str, words: str, sky: Path, opened: Opener
) -> None:
    rows = (["object_id", "image"], ["1", "1.jpg"])
    (sky / name).write_text("".join(f"{character.join(row)}\n" for row in rows))

    with pytest.raises(
        CatalogError, match=rf"separated by {words} .*\.csv with commas, or \.tsv with"
    ):
        opened(sky / name)


def test_semicolons_and_decimal_commas_are_named_with_the_remedy(
    sky: Path, opened: Opener
) -> None:
    (sky / "a.csv").write_text("object_id;image;ra\n1;1.jpg;0,5\n")

    with pytest.raises(
        CatalogError, match=r"one column, .* more \('1;1\.jpg;0,5'\); .* by commas in"
    ):
        opened(sky / "a.csv")


def test_a_value_of_another_type_far_down_names_column_and_remedy(
    sky: Path, opened: Opener
) -> None:
    lines = [f"{number},1.jpg,{number}" for number in range(100_000)]
    text = "object_id,image,n\n" + "\n".join([*lines, "x7,1.jpg,many"]) + "\n"
    (sky / "a.csv").write_text(text)

    with pytest.raises(
        CatalogError, match=r"'n' of .*a\.csv starts as int64 .*'many'.*Parquet\.$"
    ) as caught:
        opened(sky / "a.csv", "n")
    assert "\n" not in str(caught.value)
    assert not (sky.parent / "staging").exists()
    assert opened(sky / "a.csv").num_rows == 100_001  # where nobody asks for it


def test_a_column_that_starts_empty_is_text(sky: Path, opened: Opener) -> None:
    lines = [f"{number},1.jpg," for number in range(100_000)]
    text = "object_id,image,note\n" + "\n".join([*lines, "x7,1.jpg,bright"]) + "\n"
    (sky / "a.csv").write_text(text)

    assert rows_of(opened(sky / "a.csv", "note"))["note"][-2:] == [None, "bright"]


def test_only_the_columns_that_were_asked_for_are_staged(
    sky: Path, opened: Opener
) -> None:
    pa_csv.write_csv(part([1], ra=[1.5], dec=[2.5]), sky / "a.csv")

    assert opened(sky / "a.csv", "dec").schema.names == ["object_id", "image", "dec"]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nothing-*.parquet", r"no file matches .*nothing-\*\.parquet; check"),
        ("part-{0..3}.tar", r"no file .*part-0\.tar, which .* spells out"),
        ("*.jpg", r"matches 1 files|is an image, not a table"),
        ("1.jpg", r"1\.jpg is an image, not a table of galaxies; name the folder"),
        ("empty", r"the folder .*empty holds neither Parquet files nor images"),
    ],
)
def test_what_is_no_catalog_is_refused_with_a_remedy(
    name: str, complaint: str, sky: Path, opened: Opener
) -> None:
    (sky / "empty").mkdir()

    with pytest.raises(CatalogError, match=complaint):
        opened(sky / name)


def test_a_pattern_of_several_tables_of_text_is_refused(
    sky: Path, opened: Opener
) -> None:
    for name in ("a.csv", "b.csv"):
        (sky / name).write_text("object_id,image\n1,1.jpg\n")

    with pytest.raises(CatalogError, match=r"matches 2 files .*Parquet files or tar"):
        opened(sky / "*.csv")
    assert opened(sky / "a*.csv").num_rows == 1


def test_a_disk_too_full_for_the_copy_is_named(sky: Path, opened: Opener) -> None:
    (sky / "a.csv").write_text("object_id,image\n1,1.jpg\n")
    staging = sky.parent / "staging"
    staging.mkdir()
    (staging / "catalog.parquet").symlink_to("/dev/full")

    with pytest.raises(StorageError, match=f"the disk of {staging} is full .* room"):
        opened(sky / "a.csv")
