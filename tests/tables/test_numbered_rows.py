"""Rows of a Parquet table, read by their number."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from galaxy_models.errors import CatalogError
from galaxy_models.tables.formats import (
    numbered_rows,
    open_parquet,
    open_parquet_folder,
)
from galaxy_models.tables.formats.numbered_rows import (
    NumberedRows,
    RowReader,
    number_rows,
)

SIZES = (7, 1, 20, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty-one rows in four files, of row groups of four; a folder names the run."""
    first = 0
    for run, size in enumerate(SIZES):
        numbers = np.arange(first, first + size)
        table = pa.table({"object_id": numbers, "image": [f"{i}.jpg" for i in numbers]})
        path = tmp_path / f"run={run}" / "part.parquet"
        path.parent.mkdir()
        pq.write_table(table, path, row_group_size=4)
        first += size
    return tmp_path


@pytest.mark.parametrize("kept_bytes", [0, 2**20])
@pytest.mark.parametrize(
    ("start", "stop"), [(0, 31), (0, 1), (6, 9), (7, 8), (8, 28), (13, 14), (30, 31)]
)
def test_a_run_of_rows_is_read_across_files_and_row_groups(
    folder: Path,
    start: int,
    stop: int,
    kept_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(numbered_rows, "MAX_KEPT_BYTES", kept_bytes)
    rows = number_rows(open_parquet_folder(str(folder)))
    reader = RowReader(rows, ["image", "object_id"])
    for _ in range(2):  # the second time from what was kept
        table = reader.read(start, stop)
        assert table["object_id"].to_pylist() == list(range(start, stop))
        assert table["image"].to_pylist() == [f"{i}.jpg" for i in range(start, stop)]


@pytest.fixture
def large_group(tmp_path: Path) -> NumberedRows:
    """Forty megabytes of images in one row group."""
    images = [bytes([number % 256]) * 20_000 for number in range(2_000)]
    table = pa.table({"object_id": range(2_000), "image_bytes": images})
    path = tmp_path / "images.parquet"
    pq.write_table(table, path, compression="none", use_dictionary=False)
    return number_rows(open_parquet(str(path)))


@pytest.fixture
def no_group_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbered_rows, "MAX_KEPT_BYTES", 0)


def bytes_read() -> int:
    """What this process asked the system for so far."""
    return int(Path("/proc/self/io").read_text().split()[1])


def test_a_large_row_group_is_read_once_by_who_reads_forwards(
    large_group: NumberedRows, no_group_is_kept: None
) -> None:
    reader = RowReader(large_group, ["object_id", "image_bytes"])
    before = bytes_read()
    for start in range(0, 2_000, 100):
        rows = reader.read(start, start + 50)  # another actor reads the next 50
        assert rows["object_id"].to_pylist() == list(range(start, start + 50))
        assert rows["image_bytes"][49].as_py()[0] == (start + 49) % 256
    assert bytes_read() - before < 50e6
    assert reader.read(7, 8)["object_id"].to_pylist() == [7]


def test_a_large_row_group_never_stands_in_memory(
    large_group: NumberedRows, no_group_is_kept: None
) -> None:
    reader = RowReader(large_group, ["object_id", "image_bytes"])
    before = pa.total_allocated_bytes()
    reader.read(1_000, 1_010)
    assert pa.total_allocated_bytes() - before < 30e6


def test_rows_are_counted_from_the_footers(folder: Path) -> None:
    assert number_rows(open_parquet_folder(str(folder))).file_sizes == SIZES


def test_a_column_that_stands_in_a_folders_name_is_read_with_its_type(
    folder: Path,
) -> None:
    rows = number_rows(open_parquet_folder(str(folder)))
    table = RowReader(rows, ["object_id", "run"]).read(6, 9)
    assert table["run"].to_pylist() == [0, 1, 2]
    assert table.schema.field("run").type == pa.int64()


def test_other_content_has_another_hash_and_the_same_content_the_same(
    folder: Path,
) -> None:
    def content_hash() -> str:
        return number_rows(open_parquet_folder(str(folder))).content_hash

    before = content_hash()
    path = folder / "run=1" / "part.parquet"
    table = pq.read_table(path, partitioning=None)
    path.write_bytes(path.read_bytes())
    assert content_hash() == before
    pq.write_table(table.set_column(1, "image", pa.array(["another.jpg"])), path)
    assert content_hash() != before


def test_a_damaged_file_is_named(folder: Path) -> None:
    table = open_parquet_folder(str(folder))
    (folder / "run=2" / "part.parquet").write_bytes(b"PAR1")
    with pytest.raises(CatalogError, match="run=2/part.parquet"):
        number_rows(table)
