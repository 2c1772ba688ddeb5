"""Read image files while others are being decoded and predicted.

A store answers in milliseconds, a network takes as long: so several threads read
ahead, a handful of files each. It knows neither pixels nor models.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from galaxy_models.images.decode import ImageFile, ImageSource, read_files

# Best of 4, 16, 64 threads and 1, 8 files from an object store on loopback (1,468
# images/s; 64 × 8: 1,412, 4 × 1: 997). A store far away may want more threads.
NUM_READERS = 16
FILES_PER_READ = 8  # files that a thread reads in turn: handing over costs


def prefetch_files(
    sources: Sequence[ImageSource],
    image_root: str,
    reads_per_batch: int = 1,
    allowed_prefixes: Sequence[str] = (),
) -> Iterator[list[ImageFile]]:
    """Read files in order, a batch at a time, always ahead of what was taken.

    Args:
        sources: as for ``images.read_files``.
        image_root: URI of a folder.
        reads_per_batch: how many times ``FILES_PER_READ`` files make a batch.
        allowed_prefixes: as for ``images.read_files``.

    Yields:
        The next files; the last batch may be smaller.

    Raises:
        StorageError: an object store does not answer; the files that nobody began to
            read are not waited for.
    """
    groups = deque(
        sources[start : start + FILES_PER_READ]
        for start in range(0, len(sources), FILES_PER_READ)
    )
    waiting: deque[Future[list[ImageFile]]] = deque()
    readers = ThreadPoolExecutor(NUM_READERS)
    try:
        while groups or waiting:
            while groups and len(waiting) < NUM_READERS + reads_per_batch:
                group = groups.popleft()
                waiting.append(
                    readers.submit(read_files, group, image_root, allowed_prefixes)
                )
            batch = []
            for _ in range(min(reads_per_batch, len(waiting))):
                batch.extend(waiting.popleft().result())
            yield batch
    finally:
        readers.shutdown(cancel_futures=True)
