"""Ids of large tables are sorted on disk: the same name, the same refusals."""

import errno
import tempfile
from pathlib import Path

import numpy as np
import pytest
from catalog_files import Opener, part

from galaxy_models.errors import CatalogError, StorageError
from galaxy_models.tables import sorted_hashes
from galaxy_models.tables.sorted_hashes import SortedHashes

NUM_IDS = 5000


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100 hashes."""
    monkeypatch.setattr(sorted_hashes, "MAX_HELD", 100)


def test_hashes_come_back_sorted_from_disk_as_from_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, NUM_IDS, np.uint64)
    hashes[:3] = 0, 2**64 - 1, 2**56  # at the edges of the parts
    in_memory = SortedHashes()
    in_memory.add(hashes)
    monkeypatch.setattr(sorted_hashes, "MAX_HELD", 100)
    on_disk = SortedHashes()
    for some in np.array_split(hashes, 97):
        on_disk.add(some)

    parts = list(on_disk.parts())

    assert len(parts) > 200
    assert np.array_equal(np.concatenate(parts), np.sort(hashes))
    assert np.array_equal(np.concatenate(list(in_memory.parts())), np.sort(hashes))


def test_the_fingerprint_is_the_same_whether_ids_fit_into_memory_or_not(
    catalog_of: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = list(range(NUM_IDS))
    expected = catalog_of(part(ids), "few.parquet").fingerprint
    monkeypatch.setattr(sorted_hashes, "MAX_HELD", 100)

    catalog = catalog_of(part(ids[::-1]), "many.parquet")

    assert catalog.fingerprint == expected
    assert catalog.num_rows == NUM_IDS


def test_a_repeated_id_among_many_is_named(
    small_memory: None, catalog_of: Opener
) -> None:
    with pytest.raises(CatalogError, match=r"1 id\(s\) .* more than once: 77;"):
        catalog_of(part([*range(NUM_IDS), 77]), "galaxies.parquet")


def test_the_disks_files_are_gone_afterwards(
    small_memory: None,
    catalog_of: Opener,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))

    catalog_of(part(list(range(NUM_IDS))), "galaxies.parquet")

    assert list(folder.glob("galaxy-batch-ids-*")) == []


def test_a_full_disk_is_told_with_its_folder(
    small_memory: None, catalog_of: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", full)

    with pytest.raises(StorageError, match=f"disk of {tempfile.gettempdir()} is full"):
        catalog_of(part(list(range(NUM_IDS))), "galaxies.parquet")
