"""Files come in order, none lost, while later ones are being read."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from galaxy_models.errors import ImageDecodeError
from galaxy_models.images.files import ImageFile, ImageSource
from galaxy_models.scoring import prefetch as module
from galaxy_models.scoring.prefetch import FILES_PER_READ, prefetch_files

NUM_FILES = 10 * FILES_PER_READ + 1


@pytest.fixture
def names(tmp_path: Path) -> list[str]:
    names = [f"{index:03d}" for index in range(NUM_FILES)]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    return names


@pytest.mark.parametrize("reads_per_batch", [1, 2, 50])
def test_files_come_in_the_order_of_their_paths(
    names: list[str], tmp_path: Path, reads_per_batch: int
) -> None:
    batches = list(prefetch_files(names, str(tmp_path), reads_per_batch))
    files = [file for batch in batches for file in batch]
    assert files == [name.encode() for name in names]
    assert max(map(len, batches)) <= reads_per_batch * FILES_PER_READ


def test_a_missing_file_comes_as_its_error_in_its_place(
    names: list[str], tmp_path: Path
) -> None:
    (tmp_path / names[9]).unlink()
    files = [file for batch in prefetch_files(names, str(tmp_path)) for file in batch]
    error = files[9]
    assert isinstance(error, ImageDecodeError) and error.reason == "missing"
    assert files[10] == names[10].encode()


def test_bytes_pass_through_in_their_place(names: list[str], tmp_path: Path) -> None:
    sources = [names[0], b"a file's bytes", None, names[1]]
    [files] = prefetch_files(sources, str(tmp_path), 4)
    assert files[:2] == [b"000", b"a file's bytes"]
    assert isinstance(files[2], ImageDecodeError) and files[2].reason == "missing"
    assert files[3] == b"001"


def test_no_paths_give_no_batches(tmp_path: Path) -> None:
    assert list(prefetch_files([], str(tmp_path))) == []


def at_each_read(
    monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]
) -> None:
    """Read empty files, after something happened."""

    def read(
        paths: Sequence[ImageSource], image_root: str, allowed: Sequence[str]
    ) -> list[ImageFile]:
        happens()
        return [b""] * len(paths)

    monkeypatch.setattr(module, "read_files", read)


def test_later_files_are_read_before_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = threading.Semaphore(0)
    at_each_read(monkeypatch, started.release)
    batches = prefetch_files(["galaxy"] * NUM_FILES, "/")
    next(batches)
    for _ in range(FILES_PER_READ + 10):  # all groups, though a batch was taken
        assert started.acquire(timeout=300)


def test_the_first_batch_is_read_by_all_readers_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_each_read(monkeypatch, threading.Barrier(4, timeout=300).wait)
    monkeypatch.setattr(module, "NUM_READERS", 4)
    monkeypatch.setattr(module, "FILES_PER_READ", 8)
    assert list(prefetch_files(["galaxy"] * 8, "/")) == [[b""] * 8]
