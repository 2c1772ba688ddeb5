"""Catalogs of every kind are checked before work begins, and read as they are."""

import gzip
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from galaxy_models.catalog import Catalog, open_catalog
from galaxy_models.config import CatalogConfig
from galaxy_models.errors import CatalogError
from galaxy_models.object_ids import IdSet
from galaxy_models.tables import open_parquet

Opener = Callable[..., Catalog]

ID_18_DIGITS = 587722981736841315  # SDSS DR7: beyond what a float64 holds
ID_19_DIGITS = 1237648720693755919  # SDSS DR8
HEADER = "object_id,image\n"
ONE_ROW = "object_id,image\n7,1.jpg\n"


@pytest.fixture
def opened(sky: Path) -> Opener:
    """Writes a catalog beside the image and opens it."""

    def write_and_open(
        content: str | bytes | pa.Table,
        name: str = "galaxies.csv",
        columns: Sequence[str] = (),
        **settings: Any,
    ) -> Catalog:
        path = sky / name
        path.parent.mkdir(exist_ok=True)
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_bytes(
                content if isinstance(content, bytes) else content.encode()
            )
        config = CatalogConfig(catalog=str(path), **settings)
        return open_catalog(config, str(sky.parent / "staging"), columns)

    return write_and_open


def rows_of(catalog: Catalog) -> pd.DataFrame:
    return pd.concat(map(pd.read_parquet, catalog.table.uris))


def table(ids: Any, **columns: Any) -> pa.Table:
    images = ["1.jpg"] * len(ids)
    return pa.table({"object_id": ids, "image": images, **columns})


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
    name: str, content: bytes, opened: Opener, sky: Path
) -> None:
    catalog = opened(content, name)

    assert catalog.uri == str(sky / name)
    assert catalog.table.uris == [f"{sky.parent}/staging/catalog.parquet"]
    assert catalog.num_rows == 2
    rows = rows_of(catalog)
    assert rows["object_id"].tolist() == [8, 7]
    assert rows["image"].tolist() == ["1.jpg", "2.jpg"]


@pytest.mark.parametrize("name", ["galaxies.parquet", "galaxies.parq", "galaxies.pq"])
def test_a_parquet_file_is_read_where_it_lies(
    name: str, opened: Opener, sky: Path
) -> None:
    catalog = opened(table([8, 7]), name)

    assert catalog.table.uris == [catalog.uri] == [str(sky / name)]
    assert catalog.image_root == str(sky)
    assert catalog.num_rows == 2
    assert not (sky.parent / "staging").exists()


def test_a_folder_of_parquet_files_is_one_catalog_and_its_own_image_root(
    opened: Opener, sky: Path
) -> None:
    opened(table([8, 7]), "part-0.parquet")
    opened(table([9]), "part-1.parquet")
    (sky / "1.jpg").rename(sky.parent / "1.jpg")
    config = CatalogConfig(catalog=str(sky), image_root=str(sky.parent))

    catalog = open_catalog(config, "unused")

    assert catalog.num_rows == 3
    assert catalog.table.uris == [f"{sky}/part-0.parquet", f"{sky}/part-1.parquet"]
    assert catalog.image_root == str(sky.parent)


def test_the_image_root_of_a_folder_is_the_folder(sky: Path) -> None:
    parts = sky.parent / "parts"
    parts.mkdir()
    pq.write_table(table([1]), parts / "part-0.parquet")
    (parts / "images").mkdir()
    config = CatalogConfig(catalog=str(parts))

    with pytest.raises(CatalogError, match=f"for example {parts}/1.jpg"):
        open_catalog(config, "unused")


@pytest.mark.parametrize("object_id", [ID_18_DIGITS, ID_19_DIGITS])
@pytest.mark.parametrize("name", ["galaxies.csv", "galaxies.parquet"])
def test_long_ids_survive_to_the_last_digit(
    object_id: int, name: str, opened: Opener
) -> None:
    ids = [object_id, object_id + 1]
    text = HEADER + "".join(f"{value},1.jpg\n" for value in ids)

    catalog = opened(text if name.endswith("csv") else table(ids), name)

    assert catalog.id_type == pa.int64()
    rows = rows_of(catalog)
    assert rows["object_id"].dtype == np.int64
    assert rows["object_id"].tolist() == ids


@pytest.mark.parametrize(
    "ids",
    [
        ["007", "8"],
        ["1", "J1237+0012"],
        ["5.0", "6.5"],
        ["+5", "6"],
        ["18446744073709551615", "1"],
    ],
    ids=["leading zeros", "mixed", "decimal", "plus sign", "20 digits"],
)
def test_ids_that_are_not_plain_integers_stay_text(
    ids: list[str], opened: Opener
) -> None:
    catalog = opened(HEADER + "".join(f"{value},1.jpg\n" for value in ids))

    assert catalog.id_type == pa.string()
    assert rows_of(catalog)["object_id"].tolist() == ids


def test_one_text_id_far_down_keeps_every_id_text(opened: Opener) -> None:
    ids = [str(number) for number in range(120_000)] + ["x7"]  # over 1 MB

    catalog = opened(HEADER + "".join(f"{value},1.jpg\n" for value in ids))

    assert catalog.id_type == pa.string()
    assert rows_of(catalog)["object_id"].tolist() == ids


def test_large_strings_are_ids_and_paths_too(opened: Opener) -> None:
    text = pa.large_string()
    content = pa.table(
        {"object_id": pa.array(["a"], text), "image": pa.array(["1.jpg"], text)}
    )

    assert opened(content, "galaxies.parquet").id_type == pa.string()


def test_staging_keeps_the_types_of_other_columns(opened: Opener) -> None:
    content = "object_id,image,ra,round,name,n\n7,1.jpg,10.5,true,M31,3\n"

    schema = opened(content, columns=("ra", "round", "name", "n")).schema

    types = {field.name: str(field.type) for field in schema}
    assert types == {
        "object_id": "int64", "image": "string", "ra": "double", "round": "bool",
        "name": "string", "n": "int64",
    }  # fmt: skip


def test_columns_are_found_under_their_usual_other_names(opened: Opener) -> None:
    catalog = opened("id_str,file_loc\n7,1.jpg\n")

    assert (catalog.id_column, catalog.image_column) == ("id_str", "file_loc")


def test_the_standard_name_goes_before_an_alias(opened: Opener) -> None:
    catalog = opened("id_str,object_id,file_loc,image\nx,7,y.jpg,1.jpg\n")

    assert (catalog.id_column, catalog.image_column) == ("object_id", "image")


def test_columns_can_be_named(opened: Opener) -> None:
    catalog = opened("dr7,path\n7,1.jpg\n", id_column="dr7", image_column="path")

    assert (catalog.id_column, catalog.image_column) == ("dr7", "path")


@pytest.mark.parametrize(
    ("content", "columns", "settings", "named"),
    [
        ("name,image\n7,1.jpg\n", (), {}, "object_id"),
        ("object_id,picture\n7,1.jpg\n", (), {}, "image"),
        (ONE_ROW, ("label",), {}, "label"),
        (ONE_ROW, (), {"id_column": "dr7"}, "dr7"),
        ("id_str,image\n7,1.jpg\n", (), {"id_column": "dr7"}, "dr7"),
    ],
)
def test_a_missing_column_is_named_with_the_columns_that_are_there(
    content: str,
    columns: tuple[str, ...],
    settings: dict[str, str],
    named: str,
    opened: Opener,
) -> None:
    present = ", ".join(content.splitlines()[0].split(","))

    with pytest.raises(
        CatalogError,
        match=f"no column '{named}' in .*galaxies.csv; it has {present}. .*--id-column",
    ):
        opened(content, columns=columns, **settings)


def test_a_kept_column_has_no_aliases(opened: Opener) -> None:
    with pytest.raises(CatalogError, match="no column 'image'"):
        opened("object_id,file_loc\n7,1.jpg\n", columns=("image",))


def test_a_repeated_id_is_named(opened: Opener) -> None:
    content = HEADER + "7,1.jpg\n8,1.jpg\n7,1.jpg\n"

    with pytest.raises(
        CatalogError, match=r"1 id\(s\) of column 'object_id' .* more than once: 7;"
    ):
        opened(content)


def test_ids_repeated_in_different_files_are_named(opened: Opener, sky: Path) -> None:
    opened(table([1, 2, 3]), "parts/part-0.parquet", image_root=str(sky))
    opened(table([4, 2, 1]), "parts/part-1.parquet", image_root=str(sky))

    with pytest.raises(CatalogError, match=r"2 id\(s\).*more than once: (1, 2|2, 1);"):
        open_catalog(
            CatalogConfig(catalog=f"{sky}/parts", image_root=str(sky)), "unused"
        )


def test_ids_repeated_in_different_batches_are_named(opened: Opener) -> None:
    ids = [*range(140_000), 5]  # a batch has 131 072 rows

    with pytest.raises(CatalogError, match="more than once: 5;"):
        opened(table(ids), "galaxies.parquet")


def test_of_many_repeated_ids_only_some_are_shown(opened: Opener) -> None:
    with pytest.raises(
        CatalogError, match=r"40 id\(s\).*once: 0, 1, 2, 3, 4, …; every galaxy needs"
    ):
        opened(table([*range(40), *range(40)]), "galaxies.parquet")


@pytest.mark.parametrize("name", ["galaxies.csv", "galaxies.parquet"])
def test_a_null_id_is_refused(name: str, opened: Opener) -> None:
    text = HEADER + "7,1.jpg\n,1.jpg\n"

    with pytest.raises(
        CatalogError, match=r"column 'object_id' .* null in 1 row\(s\).*needs an id"
    ):
        opened(text if name.endswith("csv") else table([7, None]), name)


def test_float_ids_are_refused_because_they_lose_digits(opened: Opener) -> None:
    with pytest.raises(
        CatalogError, match="'object_id' .* are double; they must be strings or int"
    ):
        opened(table([float(ID_18_DIGITS)]), "galaxies.parquet")


def test_ids_beyond_64_signed_bits_are_refused(opened: Opener) -> None:
    ids = pa.array([2**64 - 1], pa.uint64())

    with pytest.raises(CatalogError, match="object_id"):
        opened(table(ids), "galaxies.parquet")


def test_a_catalog_without_rows_is_refused(opened: Opener) -> None:
    for name, content in (
        ("galaxies.csv", HEADER),
        ("galaxies.parquet", table(pa.array([], pa.int64()))),
    ):
        with pytest.raises(CatalogError, match=f"{name} has no rows"):
            opened(content, name)


@pytest.mark.parametrize("name", ["galaxies.csv", "galaxies.parquet"])
def test_a_file_of_zero_bytes_cannot_be_read(name: str, opened: Opener) -> None:
    with pytest.raises(CatalogError, match=f"cannot read the catalog .*{name}"):
        opened(b"", name)


def test_garbage_named_parquet_cannot_be_read(opened: Opener) -> None:
    with pytest.raises(
        CatalogError, match=r"cannot read the catalog .*galaxies\.parquet"
    ):
        opened(b"this is no Parquet file at all", "galaxies.parquet")


def test_a_parquet_file_cut_in_its_data_cannot_be_read(
    opened: Opener, sky: Path
) -> None:
    catalog = opened(table(list(range(5000))), "galaxies.parquet")
    data = bytearray(Path(catalog.uri).read_bytes())
    data[4:2000] = bytes(1996)  # pages, not the footer

    with pytest.raises(CatalogError, match="cannot read the catalog .*damaged"):
        opened(bytes(data), "damaged.parquet")


def test_a_row_of_other_length_is_reported_with_its_number(opened: Opener) -> None:
    with pytest.raises(CatalogError, match="cannot read the catalog .*Row #3"):
        opened(HEADER + "7,1.jpg\n8\n")


def test_a_catalog_that_is_not_there_names_the_flag(tmp_path: Path) -> None:
    config = CatalogConfig(catalog=f"{tmp_path}/nowhere.csv")

    with pytest.raises(
        CatalogError, match=f"no catalog at {tmp_path}/nowhere.csv; .*--catalog"
    ):
        open_catalog(config, "unused")


def test_an_unknown_suffix_is_refused_with_the_known_ones(opened: Opener) -> None:
    with pytest.raises(
        CatalogError,
        match=r"what kind of catalog .*galaxies\.xlsx is.*\.parquet.*\.csv.*\.fits",
    ):
        opened(b"PK", "galaxies.xlsx")


def test_only_the_suffix_says_that_tabs_separate(opened: Opener, sky: Path) -> None:
    catalog = opened(ONE_ROW, "my.tsv.d/galaxies.csv", image_root=str(sky))

    assert catalog.num_rows == 1


def test_a_wrong_image_root_is_refused_with_an_example(
    opened: Opener, tmp_path: Path
) -> None:
    wrong = tmp_path / "elsewhere"

    with pytest.raises(
        CatalogError,
        match=rf"none of the first 1 images .*example {wrong}/1\.jpg.*--image-root",
    ):
        opened(ONE_ROW, image_root=str(wrong))


def test_one_image_of_the_first_twenty_is_enough(opened: Opener) -> None:
    rows = "".join(f"{number},missing.jpg\n" for number in range(19))

    assert opened(f"{HEADER}{rows}19,1.jpg\n").num_rows == 20


def test_images_are_found_under_the_root_that_is_given(
    opened: Opener, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "7.jpg").touch()

    catalog = opened(HEADER + "7,7.jpg\n", image_root=str(images))

    assert catalog.image_root == str(images)


@pytest.mark.parametrize("path", ["http://host/1.jpg", "a\0b.jpg"])
def test_a_path_that_no_filesystem_takes_does_not_refuse_the_catalog(
    path: str, opened: Opener
) -> None:
    content = table([1, 2]).set_column(1, "image", [[path, "1.jpg"]])

    assert opened(content, "galaxies.parquet").num_rows == 2


def test_an_image_column_of_numbers_is_refused(opened: Opener) -> None:
    with pytest.raises(
        CatalogError, match="'image' .* holds int64, not image paths; .*--image-column"
    ):
        opened(HEADER + "7,1\n")


def test_a_catalog_without_any_image_path_is_refused(opened: Opener) -> None:
    content = table([1]).set_column(1, "image", pa.array([None], pa.string()))

    with pytest.raises(CatalogError, match=r"none of the first 1 images of .* exists;"):
        opened(content, "galaxies.parquet")


def test_the_fingerprint_hangs_on_neither_order_nor_type_of_the_ids(
    opened: Opener,
) -> None:
    numbers = opened(table([ID_18_DIGITS, 2, 3]), "a.parquet")
    texts = opened(table(["3", str(ID_18_DIGITS), "2"]), "b.parquet")
    others = opened(table([ID_18_DIGITS + 1, 2, 3]), "c.parquet")

    assert numbers.fingerprint == texts.fingerprint
    assert numbers.fingerprint != others.fingerprint


def test_the_fingerprint_is_that_of_ids_that_come_in_pieces(opened: Opener) -> None:
    catalog = opened(table([1, 2, 3]), "a.parquet")
    ids = IdSet(open_parquet(catalog.uri), "object_id")
    ids.add(pa.array([3, 1]))
    ids.add(pa.array([2]))

    assert ids.fingerprint() == (catalog.fingerprint, 3)


def test_opening_a_good_catalog_says_nothing(
    opened: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        opened(ONE_ROW)

    assert not caplog.records
