"""Chunks that do not divide evenly, several actors: every id once, in order."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from predictors import CLASSES, CountingLog, in_one_stage, plan_for, rows_with

from galaxy_models.chunks.ledger import Ledger, Remaining
from galaxy_models.scoring import predictor
from galaxy_models.scoring.plan import Plan


class EvenEngine:
    """Finds all classes equally probable."""

    def __init__(self, *args: object, **options: object) -> None:
        """Takes what ``load_engine`` takes, and needs none of it."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.full((len(images), len(CLASSES)), 1 / len(CLASSES), np.float32)


def plan_of(
    folder: Path, num_rows: int, rows_per_chunk: int, rows_per_file: int
) -> Plan:
    """A plan for galaxies without images, whose ids are in no order."""
    ids = np.random.default_rng(num_rows).permutation(num_rows) + 10**17
    rows = rows_with(pa.array(ids), [None] * num_rows)
    pq.write_table(rows, folder / "galaxies.parquet", row_group_size=5)
    plan = plan_for(rows, str(folder))
    output = str(folder / "predictions")
    ledger = Ledger(output, num_rows, rows_per_chunk, rows_per_file)
    return dataclasses.replace(plan, ledger=ledger)


@pytest.mark.parametrize(
    ("num_rows", "rows_per_chunk", "rows_per_file"),
    [(23, 4, 10), (23, 5, 23), (23, 7, 8), (24, 4, 12), (1, 4, 10), (10, 10, 10)],
)
def test_several_actors_give_each_row_once_in_the_order_of_the_catalog(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    num_rows: int,
    rows_per_chunk: int,
    rows_per_file: int,
) -> None:
    monkeypatch.setattr(predictor, "load_engine", EvenEngine)
    plan = plan_of(tmp_path, num_rows, rows_per_chunk, rows_per_file)
    todo = Remaining(plan.ledger).chunks_to_do()

    for of_actor in (todo[1::2][::-1], todo[::2]):  # neither follows the catalog
        if of_actor:
            in_one_stage(plan, CountingLog(), pa.table({"chunk": of_actor}))
    for file in Remaining(plan.ledger).whole_files():
        plan.ledger.finish_file(file, {})

    written = sorted(Path(plan.ledger.output).glob("part-*.parquet"))
    sizes = [pq.read_metadata(path).num_rows for path in written]
    whole, rest = divmod(num_rows, rows_per_file)
    assert sizes == [rows_per_file] * whole + [rest] * (rest > 0)
    catalog = pd.read_parquet(tmp_path / "galaxies.parquet")
    predictions = pd.read_parquet(plan.ledger.output)
    assert predictions["object_id"].tolist() == catalog["dr7"].tolist()


def test_files_of_50000_rows_hold_50000() -> None:
    ledger = Ledger("/out", 120_000, rows_per_chunk=1024, rows_per_file=50_000)

    sizes = [stop - start for start, stop in map(ledger.rows_of, ledger.chunks_of(0))]
    assert (sum(sizes), max(sizes), sizes[-1]) == (50_000, 1024, 50_000 - 48 * 1024)
    stops = [ledger.rows_of(ledger.chunks_of(file)[-1])[1] for file in range(3)]
    assert (ledger.num_files, stops) == (3, [50_000, 100_000, 120_000])
