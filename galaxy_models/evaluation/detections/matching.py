"""Which detection is which true source: one to one, the nearest pairs first."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

NONE = -1
LARGE_REACH = 0.5  # half-light radii


@dataclass(frozen=True)
class Matches:
    """Pairs of a detection and a true source."""

    of_truth: NDArray[np.int64]
    """For each true source the row of its detection; ``NONE`` for those missed."""

    of_found: NDArray[np.int64]
    """For each detection the row of its true source; ``NONE`` for false ones."""

    distance: NDArray[np.float64]
    """Of each true source from its detection (px); NaN for those missed."""


def match(found: pd.DataFrame, truth: pd.DataFrame, radius_px: float) -> Matches:
    """Match detections and true sources, image by image.

    Args:
        found: with ``image``, ``x`` and ``y`` (px).
        truth: likewise, with ``half_light_radius_px`` (NaN where unknown).
        radius_px: the largest distance of a pair; of large sources it is half of the
            half-light radius, if that is more.
    """
    reach = np.fmax(radius_px, LARGE_REACH * truth["half_light_radius_px"].to_numpy())
    of_truth = np.full(len(truth), NONE, np.int64)
    of_found = np.full(len(found), NONE, np.int64)
    distance = np.full(len(truth), np.nan)
    found_rows = found.groupby("image").indices
    for image, sources in truth.groupby("image").indices.items():
        rows = found_rows.get(image, np.zeros(0, np.int64))
        for gap, source, row in _pairs(
            truth[["x", "y"]].to_numpy()[sources],
            found[["x", "y"]].to_numpy()[rows],
            reach[sources],
        ):
            if of_truth[sources[source]] == of_found[rows[row]] == NONE:
                of_truth[sources[source]] = rows[row]
                of_found[rows[row]] = sources[source]
                distance[sources[source]] = gap
    return Matches(of_truth, of_found, distance)


def _pairs(
    sources: NDArray[np.float64],
    rows: NDArray[np.float64],
    reach: NDArray[np.float64],
) -> list[tuple[float, int, int]]:
    """All pairs within reach: distance, source, row; the nearest first."""
    if not len(rows):
        return []
    near = cKDTree(rows).query_ball_point(sources, reach)
    return sorted(
        (float(np.hypot(*(sources[source] - rows[row]))), source, row)
        for source, of_source in enumerate(near)
        for row in of_source
    )
