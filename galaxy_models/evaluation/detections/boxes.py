"""Average precision of boxes, to stand beside object detectors' papers.

A source's box is the square around its centre with a side of four half-light radii, of
the truth and of the detection alike; a galaxy is found where the boxes' intersection is
at least half of their union. Detections are ranked by ``score``.

Source:
    Everingham et al. 2010, IJCV 88, 303, section 4.2, with all points of the curve.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from galaxy_models.evaluation.detections.tables import GALAXY

BOX_RADII = 2.0  # half-light radii from the centre to an edge
MIN_IOU = 0.5


def average_precision(found: pd.DataFrame, truth: pd.DataFrame) -> float:
    """Average precision of galaxies at an IoU of 0.5.

    Args:
        found: detections; only those with a ``score`` count.
        truth: galaxies; without ``half_light_radius_px`` they have no box.

    Returns:
        0 to 1; NaN if no galaxy has a box, or no detection a score.
    """
    galaxies = truth[(truth["kind"] == GALAXY) & truth["half_light_radius_px"].notna()]
    ranked = found[found["score"].notna()].sort_values(
        ["score", "object_id"], ascending=[False, True]
    )
    if galaxies.empty or ranked.empty:
        return np.nan
    is_true = _true_positives(ranked, galaxies)
    precision = np.cumsum(is_true) / np.arange(1, len(is_true) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[is_true].sum() / len(galaxies))


def _true_positives(ranked: pd.DataFrame, galaxies: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each detection is the first to find a galaxy."""
    boxes = galaxies[["x", "y", "half_light_radius_px"]].to_numpy(float)
    largest = boxes[:, 2].max()
    trees = {
        image: (cKDTree(boxes[rows, :2]), rows)
        for image, rows in galaxies.groupby("image").indices.items()
    }
    is_taken = np.zeros(len(boxes), bool)
    is_true = np.zeros(len(ranked), bool)
    columns = ranked["image"], ranked["x"], ranked["y"], ranked["half_light_radius"]
    for place, (image, *box) in enumerate(zip(*columns, strict=True)):
        if image not in trees:
            continue
        tree, rows = trees[image]
        reach = BOX_RADII * np.sqrt(2) * (box[2] + largest)
        near = rows[tree.query_ball_point(box[:2], reach)]
        if not len(near):
            continue
        overlaps = intersection_over_union(np.array(box), boxes[near])
        best = int(overlaps.argmax())
        if overlaps[best] >= MIN_IOU and not is_taken[near[best]]:
            is_taken[near[best]] = is_true[place] = True
    return is_true


def intersection_over_union(
    box: NDArray[np.float64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Overlap of a source's box with others'.

    Args:
        box: x, y and half-light radius (px).
        others: the same, shape (sources, 3).
    """
    half, halves = BOX_RADII * box[2], BOX_RADII * others[:, 2]
    gaps = np.abs(others[:, :2] - box[:2])
    longest = 2 * np.minimum(half, halves)[:, None]
    sides = np.clip((half + halves)[:, None] - gaps, 0, longest)
    shared = sides.prod(axis=1)
    overlap: NDArray[np.float64] = shared / (4 * half**2 + 4 * halves**2 - shared)
    return overlap
