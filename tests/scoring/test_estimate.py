"""What a scoring would take, from a few galaxies; nothing is written."""

import dataclasses
import logging
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from predictors import plan_for, rows_with

from galaxy_models.cli.score import score_catalog
from galaxy_models.config import ScoreConfig
from galaxy_models.simulation import Survey
from galaxy_models.tables.formats.numbered_rows import RowReader, sample_rows
from galaxy_models.tables.formats.row_runs import RowRuns


def test_an_estimate_counts_rows_bytes_and_failures_and_writes_nothing(
    labelled: Survey, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    config = ScoreConfig(
        catalog=str(labelled.catalog),
        model="galaxy-zoo",
        output=str(tmp_path / "out"),
        num_workers=1,
        estimate=True,
    )

    found = score_catalog(config)["estimate"]

    assert list(tmp_path.iterdir()) == []
    paths = pd.read_csv(labelled.catalog)["image"]
    files = [labelled.catalog.parent / path for path in paths]
    assert found["image_bytes"] == sum(f.stat().st_size for f in files if f.exists())
    assert found["image_requests"] == 0
    assert (found["num_rows"], found["num_sampled"]) == (len(paths), len(paths))
    assert found["num_failed"] == len(labelled.broken_object_ids) == 1
    assert found["engine"] == "litert-int8"
    assert found["hours"] == found["core_hours"] / found["num_cores"]
    rate = found["rows_per_s_per_core"]
    assert found["core_hours"] == pytest.approx(len(paths) / rate / 3600)
    assert 10 < found["output_bytes"] / len(paths) < 200
    assert found["actor_bytes"] > 10**8
    assert "120 galaxies at random, 1 of them failed" in caplog.text
    assert "nothing was written" in caplog.text


def test_a_sample_is_of_the_rows_that_are_to_be_predicted(tmp_path: Path) -> None:
    rows = rows_with(pa.array(range(100)), [None] * 100)
    pq.write_table(rows, tmp_path / "galaxies.parquet")
    numbered = plan_for(rows, str(tmp_path)).request.rows
    odd = RowRuns.where(pd.Series(range(100)).to_numpy() % 2 == 1)

    sampled = sample_rows(dataclasses.replace(numbered, chosen=odd), 10)

    ids = RowReader(sampled, ["dr7"]).read(0, 10)["dr7"].to_pylist()
    assert len(set(ids)) == 10
    assert all(number % 2 for number in ids)
    assert sample_rows(numbered, 256).num_rows == 100
