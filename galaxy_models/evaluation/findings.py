"""What a report on predictions is made of, whatever was predicted.

This module knows neither metrics nor pages.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from galaxy_models.errors import PredictionsError
from galaxy_models.evaluation.agreement import Agreement
from galaxy_models.evaluation.cutouts import Cutouts
from galaxy_models.evaluation.gallery_rows import FailedGalaxy
from galaxy_models.evaluation.numbers.errors import NumberErrors
from galaxy_models.evaluation.sky_map import SkyMap, read_sky_map
from galaxy_models.evaluation.tally import RowTally
from galaxy_models.evaluation.votes import VoteErrors
from galaxy_models.tables.predictions import Predictions


@dataclass(frozen=True)
class RowsRead:
    """The rows that were read."""

    predictions: Predictions
    tally: RowTally
    failed: Sequence[FailedGalaxy]
    """The first of them."""

    sky: SkyMap | None
    """None without positions."""


@dataclass(frozen=True)
class Findings:
    """What is written of one kind of predictions, and what a caller gets."""

    tally: RowTally
    shown_ids: Set[str]
    """Of the galaxies whose images the page shows."""

    plots: Mapping[str, bytes]
    """PNG bytes by the file's name without its ending."""

    record: Mapping[str, Any]
    """What ``metrics.json`` holds."""

    page: Callable[[Cutouts], str]
    """Writes the page, once the images are there."""

    agreement: Agreement | None = None
    vote_errors: VoteErrors | None = None
    number_errors: tuple[NumberErrors, ...] | None = None


def rows_read(
    predictions: Predictions, tally: RowTally, failed: Sequence[FailedGalaxy]
) -> RowsRead:
    """Sum up what was read, and read the positions.

    Raises:
        PredictionsError: there are no rows, or all failed.
    """
    if tally.num_rows == 0:
        raise PredictionsError(
            f"--predictions {predictions.uri} has no rows; name the folder that "
            "jobs.score wrote."
        )
    if tally.num_failed == tally.num_rows:
        reasons = ", ".join(f"{name} {num}" for name, num in tally.failed.most_common())
        raise PredictionsError(
            f"all {tally.num_rows} rows of --predictions {predictions.uri} failed "
            f"({reasons}); find out why in their column 'error', and score again."
        )
    return RowsRead(predictions, tally, failed, read_sky_map(predictions.table))
