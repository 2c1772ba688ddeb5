"""Selects the galaxies of a report on numbers: the extremes of any number of rows.

Memory holds the galaxies that are shown so far. This module knows rows, not pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from galaxy_models.evaluation.cutouts import Cutouts
from galaxy_models.evaluation.gallery_rows import FailedRows, TopRows
from galaxy_models.evaluation.number_texts import measure
from galaxy_models.evaluation.numbers.errors import Numbers
from galaxy_models.tables.number_columns import PredictedNumber
from galaxy_models.tables.predictions import NumberRows

FAR_OFF = 3  # predicted standard deviations beyond which a truth is marked


@dataclass(frozen=True)
class ShownNumber:
    """A galaxy of a gallery, with one of its numbers."""

    object_id: str
    number: PredictedNumber
    mean: float
    deviation: float
    truth: float
    """NaN where none is known."""

    def tile(self, cutouts: Cutouts) -> dict[str, Any]:
        """Give what the page shows."""
        caption = f"{measure(self.mean)} ± {measure(self.deviation)}"
        if self.number.unit:
            caption += f" {self.number.unit}"
        is_known = not np.isnan(self.truth)
        return {
            "src": cutouts.get(self.object_id),
            "alt": f"galaxy {self.object_id}, predicted {self.number.name} {caption}",
            "caption": caption,
            "label": measure(self.truth) if is_known else None,
            "is_wrong": abs(self.mean - self.truth) > FAR_OFF * self.deviation,
            "object_id": self.object_id,
        }


class NumberGalleries:
    """The galaxies of all galleries.

    Args:
        numbers: what is predicted.
        size: galaxies a gallery.
    """

    def __init__(self, numbers: Sequence[PredictedNumber], size: int) -> None:
        self._numbers = numbers
        self.largest_errors = [TopRows[ShownNumber](size) for _ in numbers]
        """By number, in units of the predicted standard deviation."""

        self.least_certain = [TopRows[ShownNumber](size) for _ in numbers]
        """By number: those of the largest predicted standard deviation."""

        self.least_familiar = TopRows[ShownNumber](size)
        """Of predictions that say it, with their first number."""

        self.failed = FailedRows(size)

    def add(self, rows: NumberRows, truths: Numbers) -> None:
        """Let the rows of a batch compete.

        Args:
            rows: the batch.
            truths: shape (rows, numbers); NaN where none is known.
        """
        scores = np.abs(rows.means - truths) / rows.deviations
        for index, number in enumerate(self._numbers):
            shown = partial(_shown, rows, truths, index, number)
            of_number = scores[:, index]
            errors, uncertain = self.largest_errors[index], self.least_certain[index]
            errors.add(of_number, np.isfinite(of_number), shown)
            uncertain.add(rows.deviations[:, index], rows.is_ok, shown)
        if rows.familiarity is not None:
            first = partial(_shown, rows, truths, 0, self._numbers[0])
            self.least_familiar.add(-rows.familiarity, rows.is_ok, first)
        self.failed.add(rows)

    def _titled(self) -> list[tuple[str, str, TopRows[ShownNumber]]]:
        errors = zip(self._numbers, self.largest_errors, strict=True)
        uncertain = zip(self._numbers, self.least_certain, strict=True)
        far = "farthest from the label, in predicted standard deviations"
        familiar = "look like no training galaxy: stars, trails, error frames, or news"
        return [
            *((f"Largest errors: {one.title}", far, top) for one, top in errors),
            *(
                (f"Least certain: {one.title}", "largest standard deviation", top)
                for one, top in uncertain
            ),
            ("Least familiar", familiar, self.least_familiar),
        ]

    @property
    def shown_ids(self) -> set[str]:
        """Ids of all galaxies that are shown."""
        return {one.object_id for *_, top in self._titled() for one in top.galaxies}

    def for_page(self, cutouts: Cutouts) -> list[Mapping[str, Any]]:
        """Lay out the galleries that show any galaxy."""
        return [
            {
                "title": title,
                "explanation": explanation,
                "tiles": [galaxy.tile(cutouts) for galaxy in top.galaxies],
            }
            for title, explanation, top in self._titled()
            if top.galaxies
        ]


def _shown(
    rows: NumberRows, truths: Numbers, index: int, number: PredictedNumber, row: int
) -> ShownNumber:
    return ShownNumber(
        object_id=str(rows.object_ids[row].as_py()),
        number=number,
        mean=float(rows.means[row, index]),
        deviation=float(rows.deviations[row, index]),
        truth=float(truths[row, index]),
    )
