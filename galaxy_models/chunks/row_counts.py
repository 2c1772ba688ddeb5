"""Rows counted by what came out; one count for log, metrics and run record.

Knows columns of predictions; it does not know where rows come from.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from galaxy_models.errors import failure_reason
from galaxy_models.tables.prediction_schema import STATUS_FAILED, STATUS_OK

CLASS_COLUMN = "predicted_class"  # which models of other heads do not write


@dataclass
class RowCounts:
    """Rows of predictions by status, failure reason and class."""

    statuses: Counter[str] = field(
        default_factory=lambda: Counter({STATUS_OK: 0, STATUS_FAILED: 0})
    )
    failure_reasons: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)

    @property
    def num_rows(self) -> int:
        """All rows."""
        return self.statuses.total()

    @property
    def num_failed(self) -> int:
        """Rows whose image failed."""
        return self.statuses[STATUS_FAILED]

    def add(
        self, errors: Sequence[str | None], classes: Sequence[str | None] = ()
    ) -> None:
        """Count further rows.

        Args:
            errors: the column ``error``: null, or what failed, a row each.
            classes: the column ``predicted_class`` of the same rows, where it is
                known already.
        """
        reasons = [failure_reason(error) for error in errors if error is not None]
        self.statuses[STATUS_OK] += len(errors) - len(reasons)
        self.statuses[STATUS_FAILED] += len(reasons)
        self.failure_reasons.update(reasons)
        self.classes.update(name for name in classes if name is not None)

    def update(self, other: "RowCounts") -> None:
        """Add what another one counted."""
        self.statuses.update(other.statuses)
        self.failure_reasons.update(other.failure_reasons)
        self.classes.update(other.classes)


def count_rows(rows: pa.Table) -> RowCounts:
    """Count the rows of a chunk."""
    counts = RowCounts()
    has_classes = CLASS_COLUMN in rows.schema.names
    classes = rows[CLASS_COLUMN].to_pylist() if has_classes else ()
    counts.add(rows["error"].to_pylist(), classes)
    return counts
