"""What the Virtual Observatory reads of the predictions."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units
from astropy.table import Table

from galaxy_models.config import ScoreConfig
from galaxy_models.models.folder import read_card
from galaxy_models.scoring import score
from galaxy_models.simulation import Survey
from galaxy_models.tables.prediction_schema import predictions_schema
from galaxy_models.tables.votable_metadata import votable_metadata

ID_18_DIGITS = 587722981736841315


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Predictions of two galaxies, one failed, with kept columns."""
    kept = [
        pa.field("ra", pa.float64()),
        pa.field("dec", pa.float64(), metadata={"unit": "rad"}),
        pa.field("mag", pa.float32(), metadata={"unit": "mag", "ucd": "phot.mag"}),
        pa.field("survey", pa.string()),
    ]
    schema = predictions_schema(pa.int64(), kept, ("round", "spiral"))
    columns = [[ID_18_DIGITS, 2], [10.5, 20], [0.1, 0.2], [17, 18], ["a", "é<"]]
    columns += [["round", None], [0.75, None], [0.75, None], [0.25, None]]
    columns += [["ok", "failed"], [None, "missing: no file"]]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    table = pa.table(arrays, schema=schema)
    table = table.replace_schema_metadata(votable_metadata(table, "predictions"))
    pq.write_table(table, tmp_path / "part.parquet")
    return tmp_path / "part.parquet"


def test_astropy_reads_units_and_meanings(path: Path) -> None:
    table = Table.read(path, format="parquet.votable")
    assert table["ra"].unit == units.deg
    assert table["dec"].unit == units.rad  # what the catalog says goes first
    assert table["mag"].unit == units.mag
    assert table["confidence"].unit is None
    ucds = {name: table[name].meta.get("ucd") for name in table.colnames}
    assert ucds["object_id"] == "meta.id;meta.main"
    assert ucds["ra"] == "pos.eq.ra;meta.main"
    assert ucds["dec"] == "pos.eq.dec;meta.main"
    assert ucds["mag"] == "phot.mag"
    assert ucds["survey"] is None
    assert "softmax" in table["probability_spiral"].description


def test_astropy_reads_every_value(path: Path) -> None:
    table = Table.read(path, format="parquet.votable")
    assert table["object_id"].tolist() == [ID_18_DIGITS, 2]
    assert table["survey"].tolist() == ["a", "é<"]
    np.testing.assert_array_equal(table["ra"], [10.5, 20])
    assert table["probability_round"][0] == 0.75
    assert table["error"].tolist() == ["None", "missing: no file"]


def test_astropy_reads_texts_as_pandas_writes_them(tmp_path: Path) -> None:
    names = pa.array(["NGC 1", None, "M 31"], pa.large_string())
    table = pa.table({"name": names})
    table = table.replace_schema_metadata(votable_metadata(table, "kept"))
    pq.write_table(table, tmp_path / "part.parquet")

    read = Table.read(tmp_path / "part.parquet", format="parquet.votable")

    assert read["name"].tolist() == ["NGC 1", "None", "M 31"]


@pytest.mark.slow
def test_scored_files_name_their_model(
    labelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    score(
        ScoreConfig(
            catalog=str(labelled.catalog), model=model_folder, output=str(output)
        )
    )
    (part,) = output.glob("*.parquet")
    metadata = pq.read_metadata(part).metadata
    expected = read_card(model_folder).model_hash
    assert metadata[b"galaxy_batch.model_hash"].decode() == expected
    assert metadata[b"galaxy_batch.model"].decode() == model_folder
    table = Table.read(part, format="parquet.votable")
    assert table["object_id"].meta["ucd"] == "meta.id;meta.main"
