"""A collection by ``hats-import`` is scored, and ``lsdb`` crossmatches the result."""

import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image
from prediction_files import row, write_predictions

from galaxy_models import storage
from galaxy_models.config import HatsConfig, ScoreConfig
from galaxy_models.scoring import score
from galaxy_models.tables.formats import open_parquet_folder, open_table
from galaxy_models.tables.hats import write_hats

# Their imports and compilers take twenty seconds.
pytestmark = pytest.mark.faults

NUM_GALAXIES = 60
MAX_ROWS = 20


def galaxies() -> pd.DataFrame:
    """Galaxies in a patch of the sky, some close to the edges of pixels."""
    generator = np.random.default_rng(8)
    pixels = generator.integers(0, 256, (NUM_GALAXIES, 48, 48, 3), np.uint8)
    return pd.DataFrame(
        {
            "objectId": np.arange(NUM_GALAXIES) + 10**17,
            "coord_ra": generator.uniform(40, 50, NUM_GALAXIES),
            "coord_dec": generator.uniform(-5, 5, NUM_GALAXIES),
            "image_bytes": [jpeg(image) for image in pixels],
        }
    )


def jpeg(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


def import_collection(folder: Path) -> Path:
    """Let ``hats-import`` write a collection with a margin of a degree, and an index.

    It refuses to write an index with Python 3.11 and a Dask of today.
    """
    from dask.distributed import Client
    from hats_import.collection.arguments import CollectionArguments
    from hats_import.collection.run_import import run

    galaxies().to_parquet(folder / "galaxies.parquet")
    arguments = CollectionArguments(
        output_artifact_name="survey",
        output_path=str(folder),
        progress_bar=False,
        should_write_skymap=False,
    )
    arguments.catalog(
        input_file_list=[str(folder / "galaxies.parquet")],
        file_reader="parquet",
        ra_column="coord_ra",
        dec_column="coord_dec",
        pixel_threshold=MAX_ROWS,
        highest_healpix_order=6,
    )
    arguments.add_margin(margin_threshold=3600.0, is_default=True)
    if sys.version_info >= (3, 12):
        arguments.add_index(indexing_column="objectId")
    with Client(processes=False, n_workers=1, dashboard_address=None) as client:
        run(arguments, client)
    return folder / "survey"


def test_a_collection_is_scored_and_its_predictions_crossmatched(
    tmp_path: Path,
) -> None:
    import lsdb

    collection = import_collection(tmp_path)
    predictions, catalog = str(tmp_path / "predictions"), str(tmp_path / "scored")

    record = score(
        ScoreConfig(
            catalog=str(collection),
            model="galaxy-zoo",
            output=predictions,
            plan="local",
            hats=catalog,
        )
    )

    assert (record.num_rows, record.num_failed) == (NUM_GALAXIES, 0)
    scored, survey = lsdb.open_catalog(catalog), lsdb.open_catalog(collection)
    assert len(scored) == NUM_GALAXIES
    assert scored.hc_structure.catalog_info.ra_column == "coord_ra"
    matches = scored.crossmatch(
        survey, radius_arcsec=1, suffixes=("_a", "_b"), suffix_method="all_columns"
    ).compute()
    assert sorted(matches["objectId_b"]) == sorted(galaxies()["objectId"])
    assert (matches["object_id_a"] == matches["objectId_b"]).all()
    assert matches["_dist_arcsec"].max() < 1e-3
    expected = pd.read_parquet(predictions).set_index("object_id")["predicted_class"]
    found = matches.set_index("object_id_a")["predicted_class_a"]
    assert found.astype(str).to_dict() == expected.astype(str).to_dict()


def test_a_catalog_in_an_object_store_is_that_on_disk(
    s3_bucket: str, tmp_path: Path
) -> None:
    ids, generator = range(NUM_GALAXIES), np.random.default_rng(3)
    folder = write_predictions(
        tmp_path / "predictions",
        {one: row("round", 0.9) for one in ids},
        ra=generator.uniform(0, 360, NUM_GALAXIES),
        dec=generator.uniform(-90, 90, NUM_GALAXIES),
    )
    storage.copy_folder(str(folder), f"{s3_bucket}/predictions")
    for place in (str(tmp_path), s3_bucket):
        write_hats(
            HatsConfig(
                predictions=f"{place}/predictions",
                output=f"{place}/scored",
                rows_per_partition=MAX_ROWS,
            )
        )

    on_disk, in_store = (
        open_parquet_folder(f"{place}/scored/dataset")
        for place in (str(tmp_path), s3_bucket)
    )

    assert in_store.paths == on_disk.paths
    rows = [
        pa.Table.from_batches(table.read_batches(table.schema.names))
        for table in (on_disk, in_store)
    ]
    assert rows[0].equals(rows[1])
    assert open_table(f"{s3_bucket}/scored").stated_rows == NUM_GALAXIES
    assert "_runs" not in storage.list_names(f"{s3_bucket}/scored")
