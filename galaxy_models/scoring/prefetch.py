"""Read image files while others are being decoded and predicted.

A store answers in milliseconds, a network takes as long: so many threads read ahead,
a few files each. It knows neither pixels nor models.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from galaxy_models.images.files import ImageFile, ImageSource, read_files

# Where answers come 20 ms late, 16 threads read 700 images/s, 32 1,400 and 64 2,200; a
# core scored 820 from disk. There, 64 cost 0.04 ms of a core an image more than 16, 32
# 0.01 (``tests/benchmarks/store_throughput.py``).
NUM_READERS = 32
FILES_PER_READ = 4  # that a thread reads in turn


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
    batches = _batches(sources, reads_per_batch * FILES_PER_READ)
    groups = deque(group for batch in batches for group in batch)
    waiting: deque[Future[list[ImageFile]]] = deque()
    readers = ThreadPoolExecutor(NUM_READERS)
    try:
        for batch in batches:
            while groups and len(waiting) < NUM_READERS + len(batch):
                group = groups.popleft()
                waiting.append(
                    readers.submit(read_files, group, image_root, allowed_prefixes)
                )
            files = []
            for _ in batch:
                files.extend(waiting.popleft().result())
            yield files
    finally:
        readers.shutdown(cancel_futures=True)


def _batches(
    sources: Sequence[ImageSource], batch_size: int
) -> list[list[Sequence[ImageSource]]]:
    """Share batches out; all readers take part in the first, for which all wait."""
    batches = []
    for start in range(0, len(sources), batch_size):
        batch = sources[start : start + batch_size]
        size = FILES_PER_READ if start else -(-len(batch) // NUM_READERS)
        groups = [batch[first : first + size] for first in range(0, len(batch), size)]
        batches.append(groups)
    return batches
