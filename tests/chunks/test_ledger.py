"""Every row in one file, whatever dies on the way."""

import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from galaxy_models import storage
from galaxy_models.chunks.ledger import Ledger, Remaining
from galaxy_models.errors import StorageError


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Twenty-three rows in chunks of four, three chunks a file."""
    return Ledger(str(tmp_path / "out"), 23, rows_per_chunk=4, rows_per_file=12)


def keep(ledger: Ledger, *chunks: int) -> None:
    for chunk in chunks:
        rows = range(*ledger.rows_of(chunk))
        ledger.write_chunk(chunk, pa.table({"object_id": list(rows)}))


def visible(ledger: Ledger) -> list[int]:
    return sorted(pd.read_parquet(ledger.output)["object_id"].tolist())


def test_chunks_and_files_cover_every_row_once(ledger: Ledger) -> None:
    assert (ledger.num_chunks, ledger.num_files) == (6, 2)
    rows = [row for chunk in range(6) for row in range(*ledger.rows_of(chunk))]
    assert rows == list(range(23))
    assert [ledger.file_of(chunk) for chunk in range(6)] == [0, 0, 0, 1, 1, 1]
    assert [list(ledger.chunks_of(file)) for file in (0, 1)] == [[0, 1, 2], [3, 4, 5]]


def test_readers_see_whole_files_only(ledger: Ledger) -> None:
    keep(ledger, 0, 1, 2, 3, 4)
    ledger.finish_file(0, {})

    assert visible(ledger) == list(range(12))
    assert not storage.is_folder(f"{ledger.output}/_chunks/000000")


def test_a_chunk_written_twice_is_there_once(ledger: Ledger) -> None:
    keep(ledger, 0, 1, 2, 1, 1)
    ledger.finish_file(0, {})

    assert visible(ledger) == list(range(12))


def test_chunks_of_an_earlier_version_become_a_file_with_those_of_this_one(
    ledger: Ledger,
) -> None:
    earlier = pa.field("name", pa.large_string(), nullable=False)
    now = pa.field("name", pa.string())
    for chunk, field in enumerate((earlier, now, now)):
        names = [f"NGC {row}" for row in range(*ledger.rows_of(chunk))]
        ledger.write_chunk(chunk, pa.table([names], schema=pa.schema([field])))

    assert ledger.finish_file(0, {}) == []

    table = pd.read_parquet(ledger.output)
    assert table["name"].tolist() == [f"NGC {row}" for row in range(12)]


def test_a_job_that_begins_again_does_what_is_missing(ledger: Ledger) -> None:
    keep(ledger, 0, 1, 2, 4)
    ledger.finish_file(0, {})

    remaining = Remaining(ledger)

    assert remaining.chunks_to_do() == [3, 5]
    assert remaining.num_rows_to_do() == 4 + 3
    assert remaining.whole_files() == []
    keep(ledger, 3, 5)
    remaining.chunk_is_kept(3)
    remaining.chunk_is_kept(5)
    assert remaining.whole_files() == [1]
    assert remaining.whole_files() == []


def test_a_file_whose_chunks_are_all_kept_needs_only_be_finished(
    ledger: Ledger,
) -> None:
    keep(ledger, 3, 4, 5)

    assert Remaining(ledger).whole_files() == [1]


def test_chunks_left_behind_by_a_finished_file_are_not_looked_at(
    ledger: Ledger,
) -> None:
    keep(ledger, 0, 1, 2)
    ledger.finish_file(0, {})
    keep(ledger, 1)  # the job died between writing the file and letting go of this

    assert Remaining(ledger).chunks_to_do() == [3, 4, 5]


def test_finishing_a_file_again_changes_nothing(ledger: Ledger) -> None:
    keep(ledger, 0, 1, 2)
    ledger.finish_file(0, {})
    keep(ledger, 2)  # as if it had died while letting go of its chunks

    ledger.finish_file(0, {})

    assert visible(ledger) == list(range(12))
    assert not storage.is_folder(f"{ledger.output}/_chunks/000000")


@pytest.mark.parametrize(
    "data", [b"", b"PAR1", "cut", "short"], ids=["empty", "name", "cut", "short"]
)
def test_a_chunk_that_cannot_be_read_is_done_again(
    ledger: Ledger, data: bytes | str
) -> None:
    keep(ledger, 0, 1, 2)
    path = Path(ledger.chunk_uri(1))
    if data == "cut":
        data = path.read_bytes()[:-20]
    elif data == "short":
        data = Path(ledger.chunk_uri(0)).read_bytes()
        keep(Ledger(ledger.output, 2, 4, 12), 0)
        data, short = Path(ledger.chunk_uri(0)).read_bytes(), data
        Path(ledger.chunk_uri(0)).write_bytes(short)
    path.write_bytes(data)  # type: ignore[arg-type]

    assert ledger.finish_file(0, {}) == [1]
    assert not path.exists() and ledger.finished_files() == set()
    remaining = Remaining(ledger)
    assert remaining.chunks_to_do()[0] == 1
    keep(ledger, 1)
    assert ledger.finish_file(0, {}) == []
    assert visible(ledger) == list(range(12))


def test_a_lost_chunk_is_to_be_done_and_its_file_to_be_finished_again(
    ledger: Ledger,
) -> None:
    keep(ledger, 0, 1, 2, 3, 4, 5)
    remaining = Remaining(ledger)
    assert remaining.whole_files() == [0, 1]

    remaining.chunk_is_lost(4)

    assert remaining.chunks_to_do() == [4]
    remaining.chunk_is_kept(4)
    assert remaining.whole_files() == [1]


def test_a_chunk_of_another_length_is_not_kept(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="chunk 5 has 3 rows, not 4"):
        ledger.write_chunk(5, pa.table({"object_id": [0, 1, 2, 3]}))
    assert ledger.read_chunk(5) is None


def test_nothing_is_left_of_a_write_that_fails(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(f"{ledger.output}/_chunks/000000")
    folder.mkdir(parents=True)

    def fill_the_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fill_the_disk)
    with pytest.raises(StorageError, match=r"the disk of .*/_chunks/000000 is full .*"):
        keep(ledger, 0)
    assert storage.list_names(f"{ledger.output}/_chunks/000000") == []
