"""Chosen rows of a table, as runs."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from galaxy_models.tables.formats import open_parquet_folder
from galaxy_models.tables.formats.numbered_rows import RowReader, number_rows
from galaxy_models.tables.formats.row_runs import RowRuns

IS_CHOSEN = np.array([1, 1, 0, 0, 1, 0, 1, 1, 1, 0, 0, 1], bool)
CHOSEN = [0, 1, 4, 6, 7, 8, 11]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_every_chosen_row_is_found_by_its_number(size: int) -> None:
    runs = RowRuns.where(IS_CHOSEN)
    assert runs.num_rows == len(CHOSEN)
    for start in range(0, len(CHOSEN), size):
        stop = min(start + size, len(CHOSEN))
        assert runs.numbers(start, stop).tolist() == CHOSEN[start:stop]


def test_all_rows_are_one_run_and_none_are_no_run() -> None:
    assert len(RowRuns.where(np.ones(1000, bool)).starts) == 1
    assert RowRuns.where(np.zeros(1000, bool)).num_rows == 0


@pytest.mark.parametrize("num_rows", [0, 5, 8, 12, 13])
def test_a_mask_names_the_chosen_rows_of_a_table(num_rows: int) -> None:
    whole = [*IS_CHOSEN.tolist(), False]  # its last row is not chosen
    runs = RowRuns.where(IS_CHOSEN)
    assert runs.mask(num_rows).tolist() == whole[:num_rows]


def test_equal_choices_have_one_name_and_others_another() -> None:
    one, same = RowRuns.where(IS_CHOSEN), RowRuns.where(IS_CHOSEN.copy())
    other = RowRuns.where(~IS_CHOSEN)
    assert (one == same, hash(one) == hash(same)) == (True, True)
    assert one.hexdigest() == same.hexdigest() != other.hexdigest()
    assert one != other


@pytest.mark.parametrize("image", [None, b"pixels"])
def test_chosen_rows_are_read_over_the_bounds_of_files(
    tmp_path: Path, image: bytes | None
) -> None:
    for file, ids in enumerate((range(5), range(5, 8), range(8, 12))):
        table = pa.table({"object_id": list(ids), "image": [image] * len(ids)})
        pq.write_table(table, tmp_path / f"{file}.parquet", row_group_size=2)
    rows = number_rows(open_parquet_folder(str(tmp_path)))
    chosen = dataclasses.replace(rows, chosen=RowRuns.where(IS_CHOSEN))

    reader = RowReader(chosen, ["object_id", "image"])

    assert chosen.num_rows == len(CHOSEN)
    assert reader.read(1, 6)["object_id"].to_pylist() == CHOSEN[1:6]
    assert reader.read(0, 7)["object_id"].to_pylist() == CHOSEN
    assert reader.read(6, 7)["object_id"].to_pylist() == CHOSEN[6:]
