"""Catalogs of every kind are checked before work begins, and read as they are."""

import gzip
import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalog_files import HEADER, Opener, frame_of, part

from galaxy_models.config import CatalogConfig, TrainConfig
from galaxy_models.errors import CatalogError
from galaxy_models.tables.catalog import open_catalog

ONE_ROW = "object_id,image\n7,1.jpg\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("galaxies.csv", b"object_id,image\n8,1.jpg\n7,2.jpg\n"),
        ("galaxies.tsv", b"object_id\timage\n8\t1.jpg\n7\t2.jpg\n"),
        ("GALAXIES.CSV", b"object_id,image\r\n8,1.jpg\r\n7,2.jpg\r\n"),
        ("galaxies.csv.gz", gzip.compress(b"object_id,image\n8,1.jpg\n7,2.jpg\n")),
        ("galaxies.tsv.gz", gzip.compress(b"object_id\timage\n8\t1.jpg\n7\t2.jpg\n")),
    ],
    ids=["csv", "tsv", "CRLF", "csv.gz", "tsv.gz"],
)
def test_a_text_table_is_staged_as_parquet_row_for_row(
    name: str, content: bytes, catalog_of: Opener, sky: Path
) -> None:
    catalog = catalog_of(content, name)

    assert catalog.uri == str(sky / name)
    assert catalog.table.uris == [f"{sky.parent}/staging/catalog.parquet"]
    assert catalog.num_rows == 2
    rows = frame_of(catalog)
    assert rows["object_id"].tolist() == [8, 7]
    assert rows["image"].tolist() == ["1.jpg", "2.jpg"]


@pytest.mark.parametrize("name", ["galaxies.parquet", "galaxies.parq", "galaxies.pq"])
def test_a_parquet_file_is_read_where_it_lies(
    name: str, catalog_of: Opener, sky: Path
) -> None:
    catalog = catalog_of(part([8, 7]), name)

    assert catalog.table.uris == [catalog.uri] == [str(sky / name)]
    assert catalog.image_root == str(sky)
    assert catalog.num_rows == 2
    assert not (sky.parent / "staging").exists()


def test_a_folder_of_parquet_files_is_one_catalog_and_its_own_image_root(
    catalog_of: Opener, sky: Path
) -> None:
    catalog_of(part([8, 7]), "part-0.parquet")
    catalog_of(part([9]), "part-1.parquet")
    (sky / "1.jpg").rename(sky.parent / "1.jpg")
    config = CatalogConfig(catalog=str(sky), image_root=str(sky.parent))

    catalog = open_catalog(config, "unused")

    assert catalog.num_rows == 3
    assert catalog.table.uris == [f"{sky}/part-0.parquet", f"{sky}/part-1.parquet"]
    assert catalog.image_root == str(sky.parent)


def test_the_image_root_of_a_folder_is_the_folder(sky: Path) -> None:
    parts = sky.parent / "parts"
    parts.mkdir()
    pq.write_table(part([1]), parts / "part-0.parquet")
    (parts / "images").mkdir()
    config = CatalogConfig(catalog=str(parts))

    with pytest.raises(CatalogError, match=f"for example {parts}/1.jpg"):
        open_catalog(config, "unused")


def test_staging_keeps_the_types_of_other_columns(catalog_of: Opener) -> None:
    content = "object_id,image,ra,round,name,n\n7,1.jpg,10.5,true,M31,3\n"

    schema = catalog_of(content, columns=("ra", "round", "name", "n")).schema

    types = {field.name: str(field.type) for field in schema}
    assert types == {
        "object_id": "int64", "image": "string", "ra": "double", "round": "bool",
        "name": "string", "n": "int64",
    }  # fmt: skip


def test_columns_are_found_under_their_usual_other_names(catalog_of: Opener) -> None:
    catalog = catalog_of("id_str,file_loc\n7,1.jpg\n")

    assert (catalog.id_column, catalog.image_column) == ("id_str", "file_loc")


def test_the_standard_name_goes_before_an_alias(catalog_of: Opener) -> None:
    catalog = catalog_of("id_str,object_id,file_loc,image\nx,7,y.jpg,1.jpg\n")

    assert (catalog.id_column, catalog.image_column) == ("object_id", "image")


def test_columns_can_be_named(catalog_of: Opener) -> None:
    catalog = catalog_of("dr7,path\n7,1.jpg\n", id_column="dr7", image_column="path")

    assert (catalog.id_column, catalog.image_column) == ("dr7", "path")


@pytest.mark.parametrize(
    ("content", "columns", "settings", "named", "flag"),
    [
        ("name,image\n7,1.jpg\n", (), {}, "object_id", "--id-column"),
        ("object_id,picture\n7,1.jpg\n", (), {}, "image", "--image-column"),
        (ONE_ROW, ("label",), {}, "label", "--keep"),
        (ONE_ROW, (), {"id_column": "dr7"}, "dr7", "--id-column"),
        ("id_str,image\n7,1.jpg\n", (), {"id_column": "dr7"}, "dr7", "--id-column"),
    ],
)
def test_a_missing_column_is_named_with_those_that_are_there_and_its_flag(
    content: str,
    columns: tuple[str, ...],
    settings: dict[str, str],
    named: str,
    flag: str,
    catalog_of: Opener,
) -> None:
    present = ", ".join(content.splitlines()[0].split(","))

    with pytest.raises(
        CatalogError,
        match=f"no column '{named}' in .*galaxies.csv; it has {present}. .* {flag}.$",
    ):
        catalog_of(content, columns=columns, **settings)


@pytest.mark.parametrize(
    ("settings", "columns", "flag"),
    [({}, ["label"], "--label-column"), ({"target": ("size",)}, ["size"], "--target")],
)
def test_a_missing_column_to_learn_is_named_with_the_flag_of_training(
    settings: dict[str, Any], columns: list[str], flag: str, tmp_path: Path
) -> None:
    (tmp_path / "galaxies.csv").write_text(ONE_ROW)
    config = TrainConfig(
        catalog=str(tmp_path / "galaxies.csv"), output="model", **settings
    )

    with pytest.raises(CatalogError, match=f"no column '{columns[0]}' .* {flag}.$"):
        open_catalog(config, str(tmp_path / "staging"), columns)


def test_a_kept_column_has_no_aliases(catalog_of: Opener) -> None:
    with pytest.raises(CatalogError, match="no column 'image'"):
        catalog_of("object_id,file_loc\n7,1.jpg\n", columns=("image",))


def test_a_catalog_without_rows_is_refused(catalog_of: Opener) -> None:
    for name, content in (
        ("galaxies.csv", HEADER),
        ("galaxies.parquet", part(pa.array([], pa.int64()))),
    ):
        with pytest.raises(CatalogError, match=f"{name} has no rows"):
            catalog_of(content, name)


@pytest.mark.parametrize("name", ["galaxies.csv", "galaxies.parquet"])
def test_a_file_of_zero_bytes_cannot_be_read(name: str, catalog_of: Opener) -> None:
    with pytest.raises(CatalogError, match=f"cannot read the catalog .*{name}"):
        catalog_of(b"", name)


def test_garbage_named_parquet_cannot_be_read(catalog_of: Opener) -> None:
    with pytest.raises(
        CatalogError, match=r"cannot read the catalog .*galaxies\.parquet"
    ):
        catalog_of(b"this is no Parquet file at all", "galaxies.parquet")


def test_a_parquet_file_cut_in_its_data_cannot_be_read(
    catalog_of: Opener, sky: Path
) -> None:
    catalog = catalog_of(part(list(range(5000))), "galaxies.parquet")
    data = bytearray(Path(catalog.uri).read_bytes())
    data[4:2000] = bytes(1996)  # pages, not the footer

    with pytest.raises(CatalogError, match="cannot read the catalog .*damaged"):
        catalog_of(bytes(data), "damaged.parquet")


def test_a_row_of_other_length_is_reported_with_its_number(catalog_of: Opener) -> None:
    with pytest.raises(CatalogError, match="cannot read the catalog .*Row #3"):
        catalog_of(HEADER + "7,1.jpg\n8\n")


def test_a_catalog_that_is_not_there_names_the_flag(tmp_path: Path) -> None:
    config = CatalogConfig(catalog=f"{tmp_path}/nowhere.csv")

    with pytest.raises(
        CatalogError, match=f"no catalog at {tmp_path}/nowhere.csv; .*--catalog"
    ):
        open_catalog(config, "unused")


def test_an_unknown_suffix_is_refused_with_the_known_ones(catalog_of: Opener) -> None:
    with pytest.raises(
        CatalogError,
        match=r"what kind of catalog .*galaxies\.xlsx is.*\.parquet.*\.csv.*\.fits",
    ):
        catalog_of(b"PK", "galaxies.xlsx")


def test_only_the_suffix_says_that_tabs_separate(catalog_of: Opener, sky: Path) -> None:
    catalog = catalog_of(ONE_ROW, "my.tsv.d/galaxies.csv", image_root=str(sky))

    assert catalog.num_rows == 1


def test_a_wrong_image_root_is_refused_with_an_example(
    catalog_of: Opener, tmp_path: Path
) -> None:
    wrong = tmp_path / "elsewhere"

    with pytest.raises(
        CatalogError,
        match=rf"none of the first 1 images .*example {wrong}/1\.jpg.*--image-root",
    ):
        catalog_of(ONE_ROW, image_root=str(wrong))


def test_one_image_of_the_first_twenty_is_enough(catalog_of: Opener) -> None:
    rows = "".join(f"{number},missing.jpg\n" for number in range(19))

    assert catalog_of(f"{HEADER}{rows}19,1.jpg\n").num_rows == 20


def test_images_are_found_under_the_root_that_is_given(
    catalog_of: Opener, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "7.jpg").touch()

    catalog = catalog_of(HEADER + "7,7.jpg\n", image_root=str(images))

    assert catalog.image_root == str(images)


@pytest.mark.parametrize("path", ["http://host/1.jpg", "a\0b.jpg"])
def test_a_path_that_no_filesystem_takes_does_not_refuse_the_catalog(
    path: str, catalog_of: Opener
) -> None:
    content = part([1, 2]).set_column(1, "image", [[path, "1.jpg"]])

    assert catalog_of(content, "galaxies.parquet").num_rows == 2


def test_an_image_column_of_numbers_is_refused(catalog_of: Opener) -> None:
    with pytest.raises(
        CatalogError, match="'image' .* holds int64, not image paths; .*--image-column"
    ):
        catalog_of(HEADER + "7,1\n")


def test_a_catalog_without_any_image_path_is_refused(catalog_of: Opener) -> None:
    content = part([1]).set_column(1, "image", pa.array([None], pa.string()))

    with pytest.raises(CatalogError, match=r"none of the first 1 images of .* exists;"):
        catalog_of(content, "galaxies.parquet")


def test_opening_a_good_catalog_says_nothing(
    catalog_of: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        catalog_of(ONE_ROW)

    assert not caplog.records
