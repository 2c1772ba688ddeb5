"""Sorts any number of hashes in bounded memory: beyond a limit they go to disk.

Knows numbers and temporary files only.

Source:
    Knuth, The Art of Computer Programming, volume 3, section 5.4 (external sorting);
    here by ranges, since hashes are spread evenly.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from galaxy_models import storage

MAX_HELD = 2**23  # hashes in memory, 67 MB, and as much again while they are sorted
PART_BITS = 8  # of a hash, which say to which of the files on disk it belongs


class SortedHashes:
    """Takes hashes in as they come, and gives them sorted, in parts.

    Temporary files (8 bytes a hash, in ``TMPDIR``) hold what memory does not; they are
    gone with the object.
    """

    def __init__(self) -> None:
        self._held: list[NDArray[np.uint64]] = []
        self._num_held = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def add(self, hashes: NDArray[np.uint64]) -> None:
        """Take in further ones.

        Raises:
            StorageError: the disk is full or cannot be written.
        """
        self._held.append(hashes)
        self._num_held += len(hashes)
        if self._num_held > MAX_HELD:
            self._to_disk()

    def parts(self) -> Iterator[NDArray[np.uint64]]:
        """Give all, sorted; every part's are larger than those before.

        Yields:
            uint64, shape (hashes,).
        """
        if self._folder is None:
            yield self._sorted()
            return
        self._to_disk()
        for part in range(2**PART_BITS):
            path = self._path(part)
            if path.exists():
                yield np.sort(np.fromfile(path, np.uint64))

    def _sorted(self) -> NDArray[np.uint64]:
        hashes = np.concatenate([np.empty(0, np.uint64), *self._held])
        hashes.sort()
        return hashes

    def _to_disk(self) -> None:
        hashes = self._sorted()
        self._held, self._num_held = [], 0
        edges = np.arange(1, 2**PART_BITS, dtype=np.uint64) << np.uint64(64 - PART_BITS)
        try:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="galaxy-batch-ids-")
            parts = np.split(hashes, np.searchsorted(hashes, edges))
            for part, members in enumerate(parts):
                with self._path(part).open("ab") as file:
                    members.tofile(file)
        except OSError as error:
            where = self._folder.name if self._folder else tempfile.gettempdir()
            raise storage.unwritable(f"{where}/ids", error) from error

    def _path(self, part: int) -> Path:
        assert self._folder is not None
        return Path(self._folder.name) / f"{part:03d}"
