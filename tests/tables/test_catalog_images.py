"""Catalogs that are images: a folder of them, tar shards, or bytes in the table."""

import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from galaxy_models.config import CatalogConfig
from galaxy_models.errors import CatalogError
from galaxy_models.tables.catalog import Catalog, open_catalog
from galaxy_models.tables.columns import image_sources
from galaxy_models.tables.formats import webdataset

Opener = Callable[..., Catalog]

ID_18_DIGITS = 587722981736841315


@pytest.fixture
def opened(tmp_path: Path) -> Opener:
    def open_it(path: Path | str, *columns: str, **settings: Any) -> Catalog:
        config = CatalogConfig(catalog=str(path), **settings)
        return open_catalog(config, str(tmp_path / "staging"), columns)

    return open_it


def rows_of(catalog: Catalog) -> pa.Table:
    return pa.Table.from_batches(catalog.table.read_batches(catalog.schema.names))


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def write_shard(path: Path, files: Mapping[str, Any]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix.endswith("gz") else "w") as archive:
        for name, content in files.items():
            data = json.dumps(content) if isinstance(content, dict) else content
            data = data.encode() if isinstance(data, str) else data
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def number_of_row_groups(catalog: Catalog) -> int:
    return int(pq.ParquetFile(catalog.table.uris[0]).num_row_groups)


# A folder of images


def test_every_image_below_a_folder_is_a_galaxy(tmp_path: Path, opened: Opener) -> None:
    sky = touch(
        tmp_path / "sky",
        "spiral/1.jpg", "spiral/deep/007.JPEG", "round/a.b.png", "round/c.fits.gz",
        "d.tif", "e.webp", "notes.txt", ".hidden.jpg", "_thumbs/1.jpg",
    )  # fmt: skip

    catalog = opened(sky, "label")

    rows = rows_of(catalog).to_pylist()
    assert sorted(tuple(row.values()) for row in rows) == [
        ("007", "spiral/deep/007.JPEG", "deep"),
        ("1", "spiral/1.jpg", "spiral"),
        ("a.b", "round/a.b.png", "round"),
        ("c", "round/c.fits.gz", "round"),
        ("d", "d.tif", "sky"),
        ("e", "e.webp", "sky"),
    ]
    assert catalog.id_type == pa.string()
    assert catalog.image_root == catalog.uri == str(sky)


def test_outputs_alone_are_no_catalog_but_one_of_them_is(
    tmp_path: Path, opened: Opener
) -> None:
    sky = touch(tmp_path / "sky", "a/_overlay.json", "a/1.jpg", "b/_run.json")

    with pytest.raises(
        CatalogError,
        match=r"holds outputs of jobs \(a, b\) and nothing else .* name one",
    ):
        opened(sky)
    assert rows_of(opened(sky / "a"))["object_id"].to_pylist() == ["1"]


@pytest.mark.timeout(20)
def test_a_pipe_among_the_images_is_no_galaxy(tmp_path: Path, opened: Opener) -> None:
    sky = touch(tmp_path / "sky", "1.jpg")
    os.mkfifo(sky / "0.jpg")

    assert rows_of(opened(sky)).column("object_id").to_pylist() == ["1"]


def test_images_of_one_name_in_two_folders_are_refused_by_name(
    tmp_path: Path, opened: Opener
) -> None:
    sky = touch(tmp_path / "sky", "a/1.jpg", "b/1.png", "b/2.png")

    with pytest.raises(
        CatalogError, match=r"1 id\(s\).* more than once: 1; ids are the names of the f"
    ):
        opened(sky)
    assert not (tmp_path / "staging").exists()


def test_a_folder_of_both_images_and_parquet_is_refused(
    tmp_path: Path, opened: Opener
) -> None:
    sky = touch(tmp_path / "sky", "images/1.jpg")
    pq.write_table(
        pa.table({"object_id": [1], "image": ["images/1.jpg"]}), sky / "a.parquet"
    )

    with pytest.raises(
        CatalogError,
        match=r"Parquet files and images .*1\.jpg.* pattern .*/\*\.parquet",
    ):
        opened(sky)
    assert opened(f"{sky}/*.parquet").num_rows == 1


# WebDataset


def test_files_of_one_stem_in_shards_are_a_galaxy(
    tmp_path: Path, opened: Opener
) -> None:
    write_shard(
        tmp_path / "shard-000.tar",
        {
            "a.jpg": b"one", "a.json": {"ra": 1.5, "objid": ID_18_DIGITS}, "a.cls": "3",
            "deep/b.PNG": b"two", "deep/b.json": {"ra": 2, "objid": 7},
            "deep/b.cls": "4\n", "._a.jpg": b"junk",
        },
    )  # fmt: skip
    write_shard(tmp_path / "shard-001.tar", {"c.txt": "a ring", "c.fits.gz": b"three"})

    catalog = opened(tmp_path / "shard-{000..001}.tar", "ra", "label", "objid")

    assert rows_of(catalog).to_pydict() == {
        "object_id": ["a", "deep/b", "c"],
        "image_bytes": [b"one", b"two", b"three"],
        "ra": [1.5, 2, None],
        "cls": ["3", "4", None],
        "objid": [ID_18_DIGITS, 7, None],
    }
    assert catalog.column("label") == "cls"


@pytest.mark.parametrize("name", ["one.tar", "one.tar.gz", "one.tgz"])
def test_one_shard_is_a_catalog(name: str, tmp_path: Path, opened: Opener) -> None:
    path = write_shard(tmp_path / name, {"a.jpg": b"one", "b.jpg": b"two"})

    assert rows_of(opened(path))["image_bytes"].to_pylist() == [b"one", b"two"]


def test_ids_in_the_json_files_go_before_the_names(
    tmp_path: Path, opened: Opener
) -> None:
    path = write_shard(
        tmp_path / "a.tar", {"0.jpg": b"one", "0.json": {"object_id": ID_18_DIGITS}}
    )

    assert rows_of(opened(path))["object_id"].to_pylist() == [ID_18_DIGITS]


def test_a_json_file_cannot_give_the_image(tmp_path: Path, opened: Opener) -> None:
    files = {"0.json": {"image_bytes": 7, "ra": 1}, "0.jpg": b"one"}
    path = write_shard(tmp_path / "a.tar", files)

    assert rows_of(opened(path))["image_bytes"].to_pylist() == [b"one"]


def test_a_galaxy_without_an_image_keeps_its_row(
    tmp_path: Path, opened: Opener
) -> None:
    path = write_shard(tmp_path / "a.tar", {"a.jpg": b"one", "b.json": {"ra": 1}})

    assert rows_of(opened(path))["image_bytes"].to_pylist() == [b"one", None]


def test_shards_are_staged_a_few_images_at_a_time(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webdataset, "BATCH_BYTES", 250)
    files = {f"{number}.jpg": bytes(100) for number in range(7)}

    catalog = opened(write_shard(tmp_path / "a.tar", files))

    assert number_of_row_groups(catalog) == 3


def test_a_key_repeated_in_another_shard_is_refused_by_name(
    tmp_path: Path, opened: Opener
) -> None:
    for name in ("a-0.tar", "a-1.tar"):
        write_shard(tmp_path / name, {"000.jpg": name.encode()})

    with pytest.raises(
        CatalogError, match=r"more than once: 000; ids are the stems .*object_id in"
    ):
        opened(tmp_path / "a-*.tar")


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"a.jpg": b"1", "a.png": b"2"}, r"a\.png is a galaxy's second image"),
        ({"a.jpg": b"1", "a.json": "{"}, r"a\.json cannot be read .*mend it"),
        ({"a.jpg": b"1", "a.json": "[1]"}, r"a\.json cannot be read .*mend it"),
        ({"a.jpg": b"1", "a.json": {"n": 2**70}}, r"cannot read the catalog .*x\.tar"),
        ({"a.jpg": b"1", "a.cls": b"\xff"}, r"a\.cls cannot be read .*mend it"),
    ],
)
def test_a_file_of_a_shard_that_makes_no_sense_is_named(
    files: dict[str, Any], complaint: str, tmp_path: Path, opened: Opener
) -> None:
    with pytest.raises(CatalogError, match=complaint):
        opened(write_shard(tmp_path / "x.tar", files))


def test_a_json_value_of_another_type_names_its_column(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webdataset, "ROWS_PER_BATCH", 1)
    files: dict[str, Any] = {
        "a.jpg": b"1", "a.json": {"ra": 1.5}, "b.jpg": b"2", "b.json": {"ra": "east"},
    }  # fmt: skip
    path = write_shard(tmp_path / "x.tar", files)

    with pytest.raises(CatalogError, match="'ra' .* starts as double and goes on as"):
        opened(path, "ra")
    assert opened(path).num_rows == 2


def test_a_shard_cut_short_is_refused(tmp_path: Path, opened: Opener) -> None:
    path = write_shard(
        tmp_path / "x.tar", {f"{number}.jpg": bytes(5000) for number in range(9)}
    )
    path.write_bytes(path.read_bytes()[:30_000])

    with pytest.raises(CatalogError, match=r"cannot read .*x\.tar.*copy it again"):
        opened(path)


def test_a_file_beyond_all_bounds_is_refused_before_it_is_read(
    tmp_path: Path, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webdataset, "MAX_FILE_BYTES", 4)
    path = write_shard(tmp_path / "x.tar", {"a.jpg": b"12345"})

    with pytest.raises(CatalogError, match=r"a\.jpg has 5 bytes, over 4; take it out"):
        opened(path)


# Images inside the table


@pytest.mark.parametrize("type_", [pa.binary(), pa.large_binary()])
def test_a_column_of_bytes_needs_no_files(
    type_: pa.DataType, tmp_path: Path, opened: Opener
) -> None:
    table = pa.table({"object_id": [1, 2], "jpeg": pa.array([None, b"x"], type_)})
    pq.write_table(table, tmp_path / "a.parquet")

    catalog = opened(tmp_path / "a.parquet", image_column="jpeg")

    assert image_sources(rows_of(catalog)["jpeg"]) == [None, b"x"]


def test_a_struct_gives_its_bytes_or_else_its_path(
    tmp_path: Path, opened: Opener
) -> None:
    images = [{"bytes": b"x", "path": "x.jpg"}, {"bytes": None, "path": "y.jpg"}, None]
    type_ = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    table = pa.table({"object_id": [1, 2, 3], "image": pa.array(images, type_)})
    pq.write_table(table, tmp_path / "a.parquet")

    catalog = opened(tmp_path / "a.parquet")

    assert image_sources(rows_of(catalog)["image"]) == [b"x", "y.jpg", None]


def test_structs_of_paths_alone_are_looked_for(tmp_path: Path, opened: Opener) -> None:
    type_ = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    images = pa.array([{"bytes": None, "path": "y.jpg"}], type_)
    pq.write_table(
        pa.table({"object_id": [1], "image": images}), tmp_path / "a.parquet"
    )

    with pytest.raises(CatalogError, match=r"none of the first 1 images .*y\.jpg"):
        opened(tmp_path / "a.parquet")


def test_a_struct_of_something_else_is_no_image(tmp_path: Path, opened: Opener) -> None:
    table = pa.table({"object_id": [1], "image": [{"width": 3}]})
    pq.write_table(table, tmp_path / "a.parquet")

    with pytest.raises(CatalogError, match="'image' .* holds struct<.*not image paths"):
        opened(tmp_path / "a.parquet")
