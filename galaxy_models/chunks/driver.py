"""The driver's loop: chunks that are left are done, and files are made of all.

It knows a ledger and workers; it knows neither what they work at nor where.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from galaxy_models.chunks.chunk_result import Stage
from galaxy_models.chunks.ledger import Remaining
from galaxy_models.chunks.row_counts import RowCounts
from galaxy_models.chunks.workers import Workers
from galaxy_models.errors import JobError

logger = logging.getLogger(__name__)

MAX_REPAIRS = 3  # of chunks that cannot be read; more, and the disk is at fault

CheckCounts = Callable[[RowCounts], None]
"""Takes the rows so far, while chunks are left; raises if more would be a waste."""


@dataclass(frozen=True)
class WorkDone:
    """What a run's workers did."""

    num_rows: int
    """Rows of the chunks that were done; again counts again."""

    seconds: dict[Stage, float]
    """Of all workers, at each stage (s)."""


def do_what_remains(
    remaining: Remaining,
    workers: Workers,
    check: CheckCounts,
    job_error: type[JobError],
) -> WorkDone:
    """Do the chunks that are not kept, and make files of all.

    Args:
        remaining: what is left.
        workers: who do it.
        check: called after each chunk but the last.
        job_error: what is raised in the job's name.

    Raises:
        JobError: chunks that were written cannot be read; or what ``check`` raises.
    """
    num_rows = remaining.num_rows_to_do()
    seconds = _do_chunks(remaining, workers, check)
    for _ in range(MAX_REPAIRS):
        if not remaining.chunks_to_do():
            return WorkDone(num_rows, dict(seconds))
        num_rows += remaining.num_rows_to_do()
        seconds += _do_chunks(remaining, workers, check)
    raise job_error(
        f"chunks in {remaining.ledger.output} cannot be read after they were written "
        f"{MAX_REPAIRS} times; see to that disk, and run the same command again."
    )


def _do_chunks(
    remaining: Remaining, workers: Workers, check: CheckCounts
) -> "Counter[Stage]":
    """Do the chunks that are to be done, and make files of all that are kept.

    Afterwards only chunks that could not be read again are to be done.

    Returns:
        Seconds of the workers at each stage.
    """
    counts, seconds = RowCounts(), Counter[Stage]()
    workers.finish(remaining.whole_files())
    for result in workers.results(remaining.chunks_to_do()):
        remaining.chunk_is_kept(result.chunk)
        workers.finish(remaining.whole_files())
        counts.update(result.counts)
        seconds.update(result.seconds)
        if remaining.chunks_to_do():  # else the job says it of all rows
            check(counts)
    for chunk in workers.lost_chunks():
        logger.warning("chunk %d cannot be read: it is done again", chunk)
        remaining.chunk_is_lost(chunk)
    return seconds
