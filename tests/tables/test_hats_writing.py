"""Predictions become a HATS catalog: every row once, where it is on the sky."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from own_files import files_of_others
from prediction_files import row, write_predictions

from galaxy_models import storage
from galaxy_models.cli.command_line import run_job
from galaxy_models.cli.hats import write_catalog
from galaxy_models.config import HatsConfig
from galaxy_models.errors import (
    CatalogError,
    ConfigError,
    InputError,
    OutputError,
    PredictionsError,
    StorageError,
)
from galaxy_models.storage.output_folder import UNFINISHED_NAME
from galaxy_models.tables.formats import open_table
from galaxy_models.tables.hats import OUTPUT, HatsRecord, write_hats
from galaxy_models.tables.hats.pixels import healpix_index
from galaxy_models.tables.predictions import open_predictions, read_predictions

NUM_ROWS = 60
MAX_ROWS = 10
MODEL = {b"galaxy_batch.model": b"galaxy-zoo", b"galaxy_batch.model_hash": b"5e1f"}


@pytest.fixture(scope="module")
def predictions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files of predictions: half in a few degrees, half all over the sky."""
    folder = tmp_path_factory.mktemp("scored") / "predictions"
    generator = np.random.default_rng(5)
    half = NUM_ROWS // 2
    ra = np.append(generator.uniform(0, 360, half), generator.uniform(120, 123, half))
    dec = np.append(generator.uniform(-90, 90, half), generator.uniform(30, 33, half))
    ids = range(7000, 7000 + NUM_ROWS)
    galaxies = {one: row("round", 0.4 + one % 60 / 100) for one in ids}
    galaxies[7001] = "missing: no such file"
    write_predictions(folder, galaxies, ra=ra, dec=dec)
    whole = pq.read_table(folder / "part-000000.parquet").replace_schema_metadata(MODEL)
    # Dictionaries that differ from file to file.
    bands = [pa.array([f"band {one % 3}"] * 20).dictionary_encode() for one in range(3)]
    for number, band in enumerate(bands):
        table = whole.slice(20 * number, 20).append_column("band", band)
        pq.write_table(table, folder / f"part-{number:06d}.parquet")
    return folder


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    return tmp_path / "galaxies on the sky"


@pytest.fixture(scope="module")
def whole(predictions: Path) -> Path:
    """The predictions as a catalog, for tests that only read it."""
    catalog = predictions.with_name("galaxies on the sky")
    assert written(predictions, catalog).num_rows == NUM_ROWS
    return catalog


def written(predictions: Path, catalog: Path, **settings: Any) -> HatsRecord:
    settings = {"rows_per_partition": MAX_ROWS} | settings
    return write_hats(
        HatsConfig(predictions=str(predictions), output=str(catalog), **settings)
    )


def partitions(catalog: Path) -> dict[Path, pd.DataFrame]:
    paths = sorted((catalog / "dataset").rglob("Npix=*.parquet"))
    return {path: pq.read_table(path, partitioning=None).to_pandas() for path in paths}


def contents(folder: Path) -> dict[str, bytes]:
    """What a catalog's files hold, but for the minute of their creation."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): b"".join(
            line
            for line in path.read_bytes().splitlines(keepends=True)
            if not line.startswith(b"hats_creation_date=")
        )
        for path in files
        if path.suffix != ".fits"
    }


def test_every_row_is_once_in_the_partition_of_its_pixel(
    predictions: Path, whole: Path
) -> None:
    tables = partitions(whole)
    for path, table in tables.items():
        order = int(path.parts[-3].removeprefix("Norder="))
        pixel = int(path.stem.removeprefix("Npix="))
        assert 0 < len(table) <= MAX_ROWS
        assert set(table["_healpix_29"] // 4 ** (29 - order)) == {pixel}
        assert table["_healpix_29"].is_monotonic_increasing
    assert len({path.parts[-3] for path in tables}) > 1
    everything = pd.concat(tables.values()).drop(columns="_healpix_29")
    everything = everything.sort_values("object_id").reset_index(drop=True)
    expected = pd.read_parquet(predictions)
    pd.testing.assert_frame_equal(
        everything.astype({"band": str}), expected.astype({"band": str})
    )


def test_columns_keep_their_units_and_the_files_name_the_model(whole: Path) -> None:
    for path in (*partitions(whole), whole / "dataset" / "_common_metadata"):
        schema = pq.read_schema(path)
        assert schema.names[0] == "_healpix_29"
        assert schema.field("ra").metadata[b"unit"] == b"deg"
        assert {key: schema.metadata[key] for key in MODEL} == MODEL


def test_a_catalog_is_read_as_a_catalog_and_as_predictions(whole: Path) -> None:
    table = open_table(str(whole))
    assert table.stated_rows == NUM_ROWS
    assert table.stated_columns["ra"] == "ra"
    rows = read_predictions(open_predictions(str(whole), "--predictions"))
    assert sum(len(batch.object_ids) for batch in rows) == NUM_ROWS


def test_right_ascensions_are_taken_modulo_360() -> None:
    same = healpix_index(np.array([-10.0, 350.0, 710.0]), np.full(3, 45.0))

    assert len(set(same.tolist())) == 1


def test_a_few_rows_are_a_partition_of_the_largest_pixels(
    predictions: Path, catalog: Path
) -> None:
    written(predictions, catalog, rows_per_partition=1_000_000)

    assert {path.parts[-3] for path in partitions(catalog)} == {"Norder=0"}
    names = {path.name for path in catalog.iterdir()}
    assert not {"_runs", UNFINISHED_NAME} & names
    assert files_of_others(catalog, OUTPUT) == []


def test_galaxies_at_one_place_share_a_partition_however_many(
    tmp_path: Path, catalog: Path
) -> None:
    galaxies = {one: row("round", 0.9) for one in range(20)}
    ra, dec = [10.0] * 20, [-90.0] * 20
    write_predictions(tmp_path / "predictions", galaxies, ra=ra, dec=dec)

    record = written(tmp_path / "predictions", catalog, rows_per_partition=7)

    assert record.num_partitions == 1
    (table,) = partitions(catalog).values()
    assert table["object_id"].tolist() == list(galaxies)  # in the order of the rows


@pytest.mark.parametrize("num_writes", [1, 11, 24])
def test_a_job_that_died_is_resumed_to_the_same_catalog(
    num_writes: int,
    predictions: Path,
    whole: Path,
    catalog: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_bytes, names = storage.write_bytes, list[str]()

    def failing(uri: str, data: bytes) -> None:
        if len(names) == num_writes:
            raise StorageError("the disk is full")
        names.append(uri)
        write_bytes(uri, data)

    with monkeypatch.context() as broken:
        broken.setattr(storage, "write_bytes", failing)
        with pytest.raises(StorageError, match="the disk is full"):
            written(predictions, catalog)
    assert not (catalog / "_hats.json").exists()
    kept = {path: path.stat().st_mtime_ns for path in partitions(catalog)}

    written(predictions, catalog)

    assert contents(catalog) == contents(whole)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_a_finished_job_that_is_started_again_writes_nothing(
    predictions: Path, catalog: Path
) -> None:
    record = written(predictions, catalog)
    before = {path: path.stat().st_mtime_ns for path in catalog.rglob("*")}

    assert written(predictions, catalog) == record
    assert {path: path.stat().st_mtime_ns for path in catalog.rglob("*")} == before


def test_a_finished_catalog_of_another_cut_is_refused_and_overwritten(
    predictions: Path, catalog: Path
) -> None:
    written(predictions, catalog)

    with pytest.raises(OutputError, match="--rows-per-partition was 10, now 30; name"):
        written(predictions, catalog, rows_per_partition=30)
    written(predictions, catalog, rows_per_partition=30, overwrite=True)
    assert max(map(len, partitions(catalog).values())) > MAX_ROWS


def test_another_ones_catalog_is_never_overwritten(
    predictions: Path, catalog: Path
) -> None:
    written(predictions, catalog)
    (catalog / "_hats.json").unlink()

    with pytest.raises(OutputError, match="holds something else"):
        written(predictions, catalog, overwrite=True)


def test_the_job_ends_with_its_figures(
    predictions: Path, catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--predictions", str(predictions), "--output", str(catalog)]

    assert run_job(HatsConfig, write_catalog, None, flags, remedy="run it again") == 0
    assert f'"rows": {NUM_ROWS}, "partitions": ' in capsys.readouterr().out


def test_another_catalogs_partitions_and_index_are_replaced(
    tmp_path: Path, catalog: Path
) -> None:
    kept = {"Norder": [9, 9], "Npix": [8, 8], "_healpix_29": [7, 7]}
    path = with_positions(tmp_path, ra=[1.0, 2.0], dec=[0.0, 0.0], **kept)

    written(path, catalog)

    (table,) = partitions(catalog).values()
    assert not {"Norder", "Npix"} & set(table)
    assert 7 not in set(table["_healpix_29"])


def with_positions(folder: Path, **positions: Any) -> Path:
    galaxies = {one: row("round", 0.9) for one in (1, 2)}
    return write_predictions(folder / "predictions", galaxies, **positions)


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ({}, "has no columns ra and dec, or several; .* Score with --keep ra dec"),
        ({"ra": ["1", "2"], "dec": [0.0, 1.0]}, "column 'ra' of .* holds string in"),
        (
            {"ra": [1.0, 2.0], "dec": [0.0, None]},
            r"object_id 2 of .* has no position on the sky \(ra 2.0, dec nan\)",
        ),
        ({"ra": [1.0, 2.0], "dec": [91.0, 0.0]}, "object_id 1 .* dec 91.0"),
        ({"ra": [1.0, float("inf")], "dec": [1.0, 0.0]}, "object_id 2 .*ra inf"),
    ],
)
def test_predictions_without_positions_are_refused(
    positions: Any, message: str, tmp_path: Path, catalog: Path
) -> None:
    with pytest.raises(PredictionsError, match=message):
        written(with_positions(tmp_path, **positions), catalog)
    assert not catalog.exists() or not list(catalog.iterdir())


def test_predictions_without_rows_are_refused(tmp_path: Path, catalog: Path) -> None:
    path = with_positions(tmp_path, ra=[1.0, 2.0], dec=[0.0, 1.0])
    file = path / "part-000000.parquet"
    pq.write_table(pq.read_table(file).slice(2), file)

    with pytest.raises(PredictionsError, match="has no rows; name other predictions"):
        written(path, catalog)


def test_positions_in_radians_are_refused(tmp_path: Path, catalog: Path) -> None:
    path = with_positions(tmp_path, ra=[1.0, 2.0], dec=[0.0, 1.0])
    file = path / "part-000000.parquet"
    table = pq.read_table(file)
    in_radians = pa.field("ra", pa.float64(), metadata={"unit": "rad"})
    table = table.cast(table.schema.set(table.schema.get_field_index("ra"), in_radians))
    pq.write_table(table, file)

    with pytest.raises(PredictionsError, match="'ra' of .* holds double in rad; pos"):
        written(path, catalog)


def test_unfinished_predictions_are_refused(
    predictions: Path, tmp_path: Path, catalog: Path
) -> None:
    unfinished = shutil.copytree(predictions, tmp_path / "predictions")
    (unfinished / UNFINISHED_NAME).write_text("{}")

    with pytest.raises(PredictionsError, match="not finished yet; run its jobs.score"):
        written(unfinished, catalog)


def test_a_catalog_among_its_predictions_is_refused(predictions: Path) -> None:
    with pytest.raises(OutputError, match="lies in the predictions, .* elsewhere"):
        written(predictions, predictions / "hats")


def test_other_tables_are_no_predictions(tmp_path: Path, catalog: Path) -> None:
    pq.write_table(pa.table({"ra": [1.0]}), tmp_path / "table.parquet")

    with pytest.raises(PredictionsError, match="no column object_id"):
        written(tmp_path / "table.parquet", catalog)
    with pytest.raises(CatalogError, match="no catalog at"):
        written(tmp_path / "nothing", catalog)


def test_a_partition_has_a_row_or_more() -> None:
    with pytest.raises(ConfigError, match="--rows-per-partition 0: must be at least 1"):
        HatsConfig(predictions="p", output="o", rows_per_partition=0)
    assert issubclass(ConfigError, InputError)
