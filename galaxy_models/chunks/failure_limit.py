"""How much of a job may fail before it is given up: ``--max-failed-fraction``.

What failed is counted elsewhere, and a failed row is no failure of the job.
"""

from dataclasses import dataclass

from galaxy_models.chunks.row_counts import RowCounts
from galaxy_models.errors import JobError


@dataclass(frozen=True)
class FailureLimit:
    """The share of a job's rows that may fail."""

    max_fraction: float
    num_rows: int
    """Of the whole job."""

    noun: str
    """What a row is, in the plural: images, tiles."""

    output: str
    """Folder where the rows say why they failed."""

    error: type[JobError]
    """What the job raises."""

    def check_finished(self, num_failed: int) -> None:
        """Refuse to call a job done of which more failed.

        Raises:
            JobError: of the kind ``error``.
        """
        if self._is_passed_by(num_failed):
            raise self.error(f"{self._described(num_failed, 'failed')}.")

    def check_so_far(self, counts: RowCounts) -> None:
        """Stop where so many rows failed that more would be a waste.

        Raises:
            JobError: of the kind ``error``.
        """
        if self._is_passed_by(counts.num_failed):
            raise self.error(
                f"{self._described(counts.num_failed, 'failed so far')}. "
                "With a larger fraction the same command resumes."
            )

    def _is_passed_by(self, num_failed: int) -> bool:
        return num_failed > self.max_fraction * self.num_rows

    def _described(self, num_failed: int, failed: str) -> str:
        return (
            f"{num_failed} of {self.num_rows} {self.noun} {failed}, more than "
            f"--max-failed-fraction {self.max_fraction}; the column `error` of "
            f"{self.output} says why"
        )
