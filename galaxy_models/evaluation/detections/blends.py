"""What becomes of sources that touch, and of large galaxies.

Knows tables and matches; it knows neither files nor pictures.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from galaxy_models.evaluation.detections.matching import NONE, Matches
from galaxy_models.evaluation.detections.measures import Binned
from galaxy_models.evaluation.detections.tables import GALAXY

GAP_EDGES_PX = np.array([0.0, 3, 5, 7.5, 10, 15])
MAX_FAINTER = 2.5  # magnitudes; a neighbour that is fainter still makes no blend
BRIGHT_SPIRAL_R = 17.0


@dataclass(frozen=True)
class Blends:
    """Galaxies with a neighbour, and galaxies that were broken up."""

    recognised: Binned
    """By the neighbour's distance (px): blends of which both sources were found."""

    num_galaxies: int
    """With a known R90."""

    num_shredded: int
    """Those in whose R90 detections lie that belong to nothing else."""

    num_bright_spirals: int
    num_shredded_spirals: int
    """The same of spirals brighter than ``BRIGHT_SPIRAL_R``, or of all without
    magnitudes."""


def count_blends(found: pd.DataFrame, truth: pd.DataFrame, matches: Matches) -> Blends:
    """Count blends and broken galaxies."""
    is_shredded = shredded(found, truth, matches)
    is_judged = (truth["kind"] == GALAXY) & truth["r90_px"].notna()
    is_bright = ~(truth["r_magnitude"] > BRIGHT_SPIRAL_R)
    is_spiral = is_judged & is_bright & (truth["label"] == "spiral")
    return Blends(
        recognised=_recognised(truth, matches),
        num_galaxies=int(is_judged.sum()),
        num_shredded=int((is_judged & is_shredded).sum()),
        num_bright_spirals=int(is_spiral.sum()),
        num_shredded_spirals=int((is_spiral & is_shredded).sum()),
    )


def shredded(
    found: pd.DataFrame, truth: pd.DataFrame, matches: Matches
) -> NDArray[np.bool_]:
    """Whether detections that are no source lie within a galaxy's R90."""
    is_shredded = np.zeros(len(truth), bool)
    false = found[matches.of_found == NONE]
    reach = truth["r90_px"].where(truth["kind"] == GALAXY).fillna(0).to_numpy()
    false_rows = false.groupby("image").indices
    for image, sources in truth.groupby("image").indices.items():
        rows = false_rows.get(image)
        if rows is None:
            continue
        places = false[["x", "y"]].to_numpy()[rows]
        near = cKDTree(places).query_ball_point(
            truth[["x", "y"]].to_numpy()[sources], reach[sources]
        )
        is_shredded[sources] = [len(pieces) > 0 for pieces in near]
    return is_shredded


def _recognised(truth: pd.DataFrame, matches: Matches) -> Binned:
    gaps: list[float] = []
    are_both_found: list[bool] = []
    is_found = matches.of_truth != NONE
    magnitudes = truth["r_magnitude"].to_numpy(float)
    is_galaxy = (truth["kind"] == GALAXY).to_numpy()
    for sources in truth.groupby("image").indices.values():
        places = truth[["x", "y"]].to_numpy()[sources]
        pairs = cKDTree(places).query_pairs(GAP_EDGES_PX[-1], output_type="ndarray")
        for first, second in sources[pairs]:
            if not (is_galaxy[first] or is_galaxy[second]):
                continue
            if abs(magnitudes[first] - magnitudes[second]) > MAX_FAINTER:
                continue
            gap = truth.loc[[first, second], ["x", "y"]].diff().iloc[1]
            gaps.append(float(np.hypot(gap["x"], gap["y"])))
            are_both_found.append(bool(is_found[first] and is_found[second]))
    num, _ = np.histogram(gaps, GAP_EDGES_PX)
    good, _ = np.histogram(np.array(gaps)[np.array(are_both_found, bool)], GAP_EDGES_PX)
    return Binned(GAP_EDGES_PX, num, good)
