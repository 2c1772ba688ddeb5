"""A grown catalog through the whole of ``score``."""

import pandas as pd
import pytest

from galaxy_models.config import ScoreConfig
from galaxy_models.scoring import score
from galaxy_models.simulation import Survey


@pytest.mark.slow
def test_the_job_carries_rows_over_and_gives_each_galaxy_once(
    without_actors: None, unlabelled: Survey, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("grown")
    catalog = pd.read_parquet(unlabelled.catalog)
    catalog.head(60).to_parquet(folder / "before.parquet", index=False)
    catalog.to_parquet(folder / "now.parquet", index=False)
    root = str(unlabelled.catalog.parent)

    def scored(name: str, previous: str | None = None) -> ScoreConfig:
        return ScoreConfig(
            catalog=str(folder / f"{name}.parquet"),
            image_root=root,
            model="galaxy-zoo",
            output=str(folder / f"{name}-predictions"),
            previous=previous,
            rows_per_file=25,
        )

    score(before := scored("before"))
    record = score(now := scored("now", previous=before.output))

    table = pd.read_parquet(now.output).set_index("object_id")
    assert sorted(table.index) == sorted(catalog["object_id"])
    assert set(table.index[table["status"] == "failed"]) == set(
        unlabelled.broken_object_ids
    )
    failed_before = pd.read_parquet(before.output)["status"].eq("failed").sum()
    assert record.num_rows_this_run == 30 + failed_before
    assert record.num_rows_carried_over == 60 - failed_before
    assert score(now) == record  # nothing is left to do
