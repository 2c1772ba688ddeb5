"""HATS collections and catalogs are read whole, each galaxy once, or refused.

The package ``hats`` writes them here, and finds valid what this project writes.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from catalog_files import Opener, rows_of, write_part
from hats_files import GALAXIES, write_catalog, write_collection
from prediction_files import row, write_predictions

from galaxy_models.config import CatalogConfig, HatsConfig
from galaxy_models.errors import CatalogError
from galaxy_models.tables.catalog import open_catalog
from galaxy_models.tables.hats import write_hats

Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_collection(tmp_path_factory.mktemp("hats") / "collection")


@pytest.fixture
def collection(whole: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return shutil.copytree(whole, tmp_path / "survey" / "collection")


@pytest.mark.parametrize("place", ["", "..", "galaxies"])
def test_of_a_collection_only_the_primary_catalog_is_read(
    place: str, collection: Path, opened: Opener
) -> None:
    catalog = opened((collection / place).resolve())

    assert sorted(rows_of(catalog, "id")["id"]) == GALAXIES["id"].to_pylist()
    assert catalog.id_column == "id"
    assert catalog.uri == str((collection / place).resolve())


def test_a_primary_catalog_may_be_named_by_its_full_path(
    collection: Path, opened: Opener
) -> None:
    full = f"table_url={collection}/galaxies"
    edit(collection / "collection.properties", "table_url=galaxies", full)

    assert opened(collection).num_rows == len(GALAXIES)


def test_a_folder_of_a_catalog_its_margin_and_index_is_read_as_the_catalog(
    collection: Path, opened: Opener
) -> None:
    (collection / "collection.properties").unlink()

    assert opened(collection).num_rows == len(GALAXIES)


def test_partitions_may_be_folders_of_files(collection: Path, opened: Opener) -> None:
    for path in list((collection / "galaxies" / "dataset").rglob("Npix=*.parquet")):
        path.rename(path.with_suffix(".moved"))
        path.with_suffix("").mkdir()
        path.with_suffix(".moved").rename(path.with_suffix("") / "part0.parquet")

    assert opened(collection).num_rows == len(GALAXIES)


def test_positions_are_the_columns_that_the_properties_name(
    collection: Path, opened: Opener
) -> None:
    catalog = opened(collection, "ra", "dec")

    assert (catalog.column("ra"), catalog.column("dec")) == ("meanra", "meandec")


def test_the_healpix_index_is_the_id_where_there_is_no_other(
    tmp_path: Path, opened: Opener
) -> None:
    write_catalog(tmp_path / "galaxies", GALAXIES.rename_columns({"id": "number"}))

    catalog = opened(tmp_path / "galaxies")

    assert catalog.id_column == "_healpix_29"
    assert catalog.num_rows == len(GALAXIES)


def test_images_lie_beside_the_properties_of_a_catalog(collection: Path) -> None:
    (collection / "galaxies" / "1.jpg").write_bytes(b"\xff\xd8")

    catalog = open_catalog(CatalogConfig(catalog=str(collection)), "unused")

    assert catalog.image_root == str(collection / "galaxies")


def partition(collection: Path) -> Path:
    return min((collection / "galaxies" / "dataset").rglob("Npix=*.parquet"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def lose_properties(collection: Path) -> None:
    for name in ("hats.properties", "properties"):
        (collection / "galaxies" / name).unlink()


def lose_a_listed_partition_of_footers(collection: Path) -> None:
    partition(collection).unlink()
    (collection / "galaxies" / "partition_info.csv").unlink()


def point_outside(collection: Path) -> None:
    path = collection / "collection.properties"
    edit(path, "table_url=galaxies", "table_url=../../elsewhere")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lose_properties, "galaxies has no hats.properties; copy the catalog again"),
        (
            lambda folder: partition(folder).unlink(),
            "1 of 4 partitions of the HATS catalog .*galaxies are missing: Norder=1, "
            "Npix=.*; copy these files",
        ),
        (lose_a_listed_partition_of_footers, "1 of 4 partitions .* are missing"),
        (
            lambda folder: shutil.copy(
                partition(folder), partition(folder).with_name("Npix=40.parquet")
            ),
            r"has 1 partition\(s\) that it does not list \(Norder=1, Npix=40\)",
        ),
        (
            lambda folder: shutil.rmtree(folder / "galaxies" / "dataset"),
            "galaxies has no dataset; copy",
        ),
        (
            lambda folder: shutil.rmtree(folder / "galaxies"),
            "galaxies has no dataset; copy",
        ),
        (
            lambda folder: edit(
                folder / "galaxies" / "hats.properties", "nrows=5", "nrows=6"
            ),
            "says that it has 6 rows, and its files have 5: some are missing",
        ),
        (
            lambda folder: edit(
                folder / "galaxies" / "hats.properties", "nrows=5", "nrows=many"
            ),
            "say hats_nrows=many, which is no number",
        ),
        (
            lambda folder: edit(
                folder / "collection.properties", "hats_primary_table_url", "other"
            ),
            r"names no primary catalog \(hats_primary_table_url\); copy",
        ),
        (
            lambda folder: edit(
                folder / "collection.properties", "table_url=galaxies", "table_url=."
            ),
            "the HATS catalog .*collection/. has no dataset",
        ),
        (
            lambda folder: edit(
                folder / "collection.properties",
                "table_url=galaxies",
                "table_url=s3://b/g",
            ),
            r"outside the collection \(s3://b/g\)",
        ),
        (point_outside, r"outside the collection \(../../elsewhere\); if you trust"),
        (
            lambda folder: (folder / "galaxies" / "partition_info.csv").write_text(""),
            "cannot read the catalog .*partition_info.csv",
        ),
    ],
)
def test_a_damaged_collection_is_refused(
    damage: Damage, message: str, collection: Path, opened: Opener
) -> None:
    damage(collection)

    with pytest.raises(CatalogError, match=message):
        opened(collection)


def test_a_catalog_without_its_properties_is_refused(
    collection: Path, opened: Opener
) -> None:
    lose_properties(collection)

    with pytest.raises(
        CatalogError, match="has neither hats.properties nor properties; .*/dataset"
    ):
        opened(collection / "galaxies")
    assert opened(collection / "galaxies" / "dataset").num_rows == len(GALAXIES)


@pytest.mark.parametrize(
    ("name", "kind"), [("galaxies_10arcs", "margin"), ("galaxies_id", "index")]
)
def test_a_margin_or_an_index_is_no_catalog_of_galaxies(
    name: str, kind: str, collection: Path, opened: Opener
) -> None:
    with pytest.raises(
        CatalogError, match=f"dataproduct_type '{kind}'.*its collection"
    ):
        opened(collection / name)


def test_a_folder_of_a_margin_alone_is_refused(
    collection: Path, opened: Opener
) -> None:
    for name in ("galaxies", "galaxies_id"):
        shutil.rmtree(collection / name)
    (collection / "collection.properties").unlink()

    with pytest.raises(
        CatalogError, match=r"0 HATS catalogs of galaxies \(in galaxies_10arcs\); name"
    ):
        opened(collection)


def test_a_catalog_beside_other_tables_is_refused(
    collection: Path, opened: Opener
) -> None:
    write_part(collection.parent / "other" / "1.parquet", [1])

    with pytest.raises(
        CatalogError, match=r"\(collection\) and .* \(other/1.parquet\)"
    ):
        opened(collection.parent)


def test_a_file_called_properties_makes_no_catalog(
    tmp_path: Path, opened: Opener
) -> None:
    write_part(tmp_path / "survey" / "run=1" / "1.parquet", [1])
    (tmp_path / "survey" / "run=1" / "properties").write_text("colour=red")

    assert opened(tmp_path / "survey").num_rows == 1


def test_two_catalogs_in_a_folder_are_refused_by_name(
    collection: Path, opened: Opener
) -> None:
    shutil.copytree(collection, collection.with_name("newer"))

    with pytest.raises(
        CatalogError,
        match=r"2 HATS catalogs of galaxies \(in collection, newer\); name",
    ):
        opened(collection.parent)


def test_what_this_project_writes_is_valid_and_its_sky_is_the_galaxies(
    tmp_path: Path,
) -> None:
    from hats import read_hats
    from hats.io.skymap import read_skymap
    from hats.io.validation import is_valid_catalog

    ra, dec = [10.0, 10.1, 100.0, 200.0], [20.0, 20.1, -40.0, 0.0]
    galaxies = {one: row("round", 0.9) for one in range(4)}
    write_predictions(tmp_path / "predictions", galaxies, ra=ra, dec=dec)
    config = HatsConfig(
        predictions=str(tmp_path / "predictions"),
        output=str(tmp_path / "scored"),
        rows_per_partition=2,
    )

    write_hats(config)

    assert is_valid_catalog(config.output, strict=True)
    catalog = read_hats(config.output)
    assert catalog.catalog_name == "scored"
    assert catalog.catalog_info.total_rows == 4
    assert len(catalog.get_healpix_pixels()) == 3
    assert sorted(catalog.original_schema.names) == sorted(
        ["_healpix_29", *pd.read_parquet(tmp_path / "predictions").columns]
    )
    pixels = compute_pixels(ra, dec)
    assert (
        read_skymap(catalog, 3).tolist() == np.bincount(pixels, minlength=768).tolist()
    )


def compute_pixels(ra: list[float], dec: list[float]) -> np.ndarray:
    """Nested HEALPix pixels at order 3, by ``hats``."""
    from hats.pixel_math import compute_spatial_index

    return np.asarray(compute_spatial_index(ra, dec) >> 2 * (29 - 3))
