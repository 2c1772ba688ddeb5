"""Parquet in any layout is read where it lies; its names of folders are columns."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from catalog_files import part, rows_of, write_part

from galaxy_models.config import CatalogConfig
from galaxy_models.errors import CatalogError
from galaxy_models.tables.catalog import Catalog, open_catalog
from galaxy_models.tables.formats import open_table
from galaxy_models.tables.formats.numbered_rows import RowReader, number_rows
from galaxy_models.tables.formats.parquet import NULL_VALUE

Opener = Callable[..., Catalog]


@pytest.mark.parametrize("pattern", ["part-*.parquet", "part-{0..1}.parquet"])
def test_a_pattern_names_the_files_of_a_catalog(
    pattern: str, sky: Path, opened: Opener
) -> None:
    for number in range(2):
        write_part(sky / f"part-{number}.parquet", [number])
    write_part(sky / "other.parquet", [7])

    catalog = opened(sky / pattern)

    assert catalog.num_rows == 2
    assert catalog.uri == f"{sky}/{pattern}"
    assert not (sky.parent / "staging").exists()


def test_images_of_a_pattern_lie_beside_its_files(sky: Path) -> None:
    write_part(sky / "part-0.parquet", [1])

    config = CatalogConfig(catalog=f"{sky}/part-?.parquet")

    assert open_catalog(config, "unused").image_root == str(sky)


def test_folders_named_by_key_and_value_are_columns(sky: Path, opened: Opener) -> None:
    catalog_folder = sky.parent / "k=v" / "surveys"
    write_part(catalog_folder / "run=3" / "band=r%20i" / "a.parquet", [1, 2])
    write_part(catalog_folder / "run=-7" / "band=g" / "b.parquet", [3])
    (catalog_folder / "_metadata").write_bytes(b"PAR1")
    (catalog_folder / ".hidden.parquet").write_bytes(b"")

    catalog = opened(catalog_folder, "run", "band")

    rows = rows_of(catalog, "object_id", "run", "band")
    assert rows == {
        "object_id": [3, 1, 2], "run": [-7, 3, 3], "band": ["g", "r i", "r i"],
    }  # fmt: skip
    assert catalog.schema.field("run").type == pa.int64()
    assert "k" not in catalog.schema.names
    assert not (sky.parent / "staging").exists()


@pytest.mark.parametrize("leaf", ["Npix={}.parquet", "Npix={}/part0.parquet"])
def test_a_hats_catalog_is_read_whole_and_its_sample_passed_by(
    leaf: str, sky: Path, opened: Opener
) -> None:
    hats = sky.parent / "hats"
    for number in range(3):
        folder = hats / "dataset" / f"Norder={number}" / "Dir=0"
        write_part(folder / leaf.format(40 + number), [number])
    write_part(hats / "dataset" / "data_thumbnail.parquet", [0, 1])
    (hats / "dataset" / "_common_metadata").write_bytes(b"PAR1")
    (hats / "hats.properties").write_text("hats_nrows=3")
    (hats / "skymap.fits").write_bytes(b"SIMPLE  =")

    catalog = opened(hats, "Norder", "Npix")

    assert rows_of(catalog, "object_id", "Norder", "Npix") == {
        "object_id": [0, 1, 2], "Norder": [0, 1, 2], "Npix": [40, 41, 42],
    }  # fmt: skip


def test_what_stands_only_in_names_of_files_is_staged_for_ray(
    sky: Path, opened: Opener
) -> None:
    folder = sky.parent / "hats"
    write_part(folder / "Norder=1" / "Npix=5.parquet", [1])

    assert opened(folder, "Norder").table.uris[0].endswith("Npix=5.parquet")
    staged = opened(folder, "Npix")

    assert staged.table.uris == [f"{sky.parent}/staging/catalog.parquet"]
    assert staged.uri == str(folder)


def test_what_stands_only_in_names_of_files_is_scored_where_it_lies(
    sky: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "hats"
    for pixel in ("5", NULL_VALUE):
        write_part(folder / "Norder=1" / f"Npix={pixel}.parquet", [len(pixel)])
    config = CatalogConfig(catalog=str(folder), image_root=str(sky))

    catalog = open_catalog(config, f"{tmp_path}/staging", ["Npix"], for_ray=False)

    assert not (tmp_path / "staging").exists()
    rows = RowReader(number_rows(catalog.table), ["object_id", "Npix"]).read(0, 2)
    assert rows.to_pydict() == {"object_id": [1, len(NULL_VALUE)], "Npix": [5, None]}


def test_a_column_of_the_file_goes_before_its_folders_name(
    sky: Path, opened: Opener
) -> None:
    folder = sky.parent / "parts"
    write_part(folder / "Norder=1" / "a.parquet", [1], Norder=pa.array([9], pa.uint8()))

    assert rows_of(opened(folder, "Norder"), "Norder") == {"Norder": [9]}


def test_a_missing_partition_value_is_null(sky: Path, opened: Opener) -> None:
    folder = sky.parent / "parts"
    write_part(folder / "run=1" / "a.parquet", [1])
    write_part(folder / "run=__HIVE_DEFAULT_PARTITION__" / "b.parquet", [2])

    rows = rows_of(opened(folder, "run"), "object_id", "run")

    assert dict(zip(rows["object_id"], rows["run"], strict=True)) == {1: 1, 2: None}


def test_units_of_parquet_fields_come_through(sky: Path, opened: Opener) -> None:
    field = pa.field("ra", pa.float64(), metadata={"unit": "deg"})
    table = part([1]).append_column(field, pa.array([1.5]))
    pq.write_table(table, sky / "a.parquet")

    catalog = opened(sky / "a.parquet", "ra")

    assert catalog.schema.field("ra").metadata == {b"unit": b"deg"}


def test_a_parquet_file_cut_short_is_refused(sky: Path, opened: Opener) -> None:
    write_part(sky / "whole.parquet", range(5000))
    data = (sky / "whole.parquet").read_bytes()
    (sky / "a.parquet").write_bytes(data[: len(data) // 2])

    with pytest.raises(CatalogError, match=r"cannot read .*a\.parquet.*copy it again"):
        opened(sky / "a.parquet")


def test_of_many_files_one_that_was_cut_short_is_refused(
    sky: Path, opened: Opener
) -> None:
    write_part(sky / "part-0.parquet", [1])
    data = (sky / "part-0.parquet").read_bytes()
    (sky / "part-1.parquet").write_bytes(data[:-9])

    with pytest.raises(CatalogError, match=r"cannot read .*part-1\.parquet"):
        opened(sky / "part-*.parquet")


def test_images_inside_a_table_are_read_a_few_at_a_time(sky: Path) -> None:
    table = pa.table({"object_id": range(1000), "image_bytes": [b"x"] * 1000})
    pq.write_table(table, sky / "a.parquet")
    opened_table = open_table(f"{sky}/a.parquet")

    batches = list(opened_table.read_batches(["object_id", "image_bytes"]))

    assert max(batch.num_rows for batch in batches) <= 256
    assert sum(batch.num_rows for batch in batches) == 1000
