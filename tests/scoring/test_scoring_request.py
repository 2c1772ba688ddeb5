"""What must be unchanged for a scoring to be resumed."""

import pickle
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from predictors import plan_for, rows_with

from galaxy_models.cluster.resources import Resources
from galaxy_models.config import ScoreConfig
from galaxy_models.scoring.plan import Plan, make_plan
from galaxy_models.scoring.request import open_request


@pytest.fixture
def config(tmp_path: Path) -> ScoreConfig:
    """Three galaxies in a CSV file, which scoring copies to Parquet."""
    Image.new("RGB", (32, 32)).save(tmp_path / "1.jpg")
    lines = ["object_id,image", *(f"{number},1.jpg" for number in (1, 2, 3))]
    (tmp_path / "galaxies.csv").write_text("\n".join(lines))
    return ScoreConfig(
        catalog=str(tmp_path / "galaxies.csv"),
        model="galaxy-zoo",
        output=str(tmp_path / "out"),
    )


def planned(config: ScoreConfig) -> Plan:
    request = open_request(config, f"{config.output}/_staged_catalog")
    return make_plan(request, Resources(cpus_by_host=(1,)), config.output)


def test_the_key_survives_an_upgrade_of_the_library_that_copies_a_catalog(
    config: ScoreConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = planned(config).resume_key()

    writer = partial(pq.ParquetWriter, version="1.0", compression="none")
    monkeypatch.setattr(pq, "ParquetWriter", writer)

    assert planned(config).resume_key() == before


def test_the_key_of_a_copied_catalog_names_its_rows(config: ScoreConfig) -> None:
    before = planned(config).resume_key()
    path = Path(config.catalog)
    path.write_text(path.read_text().replace("3,1.jpg", "3,./1.jpg"))

    after = planned(config).resume_key()

    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"the catalog's content"}


def test_a_plan_that_travels_to_actors_is_small() -> None:
    ids = range(100_000)
    rows = rows_with(pa.array(ids), [f"{number}.jpg" for number in ids])

    assert len(pickle.dumps(plan_for(rows))) < 10_000
