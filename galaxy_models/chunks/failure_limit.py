"""How much of a job may fail before it is given up: ``--max-failed-fraction``.

What failed is counted elsewhere, and a failed row is no failure of the job.
"""

from collections.abc import Mapping
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

    remedy: str
    """What to do with failed rows, once what failed is mended."""

    def check_finished(self, reasons: Mapping[str, int]) -> None:
        """Refuse to call a job done of which more failed.

        Args:
            reasons: failed rows by reason.

        Raises:
            JobError: of the kind ``error``.
        """
        num_failed = sum(reasons.values())
        if self._is_passed_by(num_failed):
            counts = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
            raise self.error(
                f"{self._described(num_failed, f'failed ({counts})')}. Mend them and "
                f"{self.remedy}; a larger fraction takes them as they are."
            )

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
