"""What found sources are, by a truth: labels of the detection model's stamps.

Knows rows of sources and of truth; it knows no pixels. None is a source of which one
cannot say what it is.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from galaxy_models.tables.detection_schema import (
    AT_EDGE,
    BLENDED,
    NEAR_BRIGHT_STAR,
    SATURATED,
)

ARTEFACT, GALAXY, STAR = "artefact", "galaxy", "star"

MATCH_PX = 3.0
MATCH_RADII = 0.35  # in half-light radii, for the large ones
SATURATED_MATCH_PX = 8.0  # a full well has no peak
FAINTEST_CLASS, SMALLEST_CLASS_R90, LOWEST_CLASS_SNR = 19.0, 5.0, 30.0  # else GALAXY
PAIR_MAGNITUDES = 1.75  # by which the second may be fainter, and still make a pair
UNCLEAR_MAGNITUDES = 1.0  # the same, where detection saw one source only
PIECE_SIZE = 0.75  # of its parent's size, below which a galaxy's child is a piece

NUM_BINS = 12  # of flux, for the sizes of stars
STAR_SIZES = (0.88, 1.12)  # in units of what most sources of the flux have
MIN_STAR_ROUNDNESS = 0.8
BRIGHTEST = 0.97  # share of sources that are fainter
MAX_STAR_GAP_PX = 4.0


def label_by_truth(rows: pd.DataFrame, truth: pd.DataFrame) -> list[str | None]:
    """Label the sources of a made-up frame.

    Args:
        rows: of ``jobs.detect``.
        truth: of ``simulation.write_frames``, of the same image.
    """
    truth = truth[truth["kind"] != "trail"].sort_values("r_magnitude")
    families = {row.object_id: row for row in rows.itertuples()}
    return [
        _label_drawn(row, families.get(row.parent_id), truth)
        for row in rows.itertuples()
    ]


def _label_drawn(row: Any, parent: Any, truth: pd.DataFrame) -> str | None:
    near = truth[_is_near(row, truth)]
    if near.empty:
        return ARTEFACT
    inside = _inside(row, truth)
    if row.num_children and _num_within(inside, PAIR_MAGNITUDES) > 1:
        return ARTEFACT
    if not row.parent_id and _num_within(inside, UNCLEAR_MAGNITUDES) > 1:
        return None
    source = near.iloc[0]
    if source["kind"] == STAR:
        return STAR
    if parent is not None and _is_piece(row, parent, truth):
        return ARTEFACT
    is_clear = (
        source["r_magnitude"] <= FAINTEST_CLASS
        and source["r90_px"] >= SMALLEST_CLASS_R90
        and row.snr >= LOWEST_CLASS_SNR
    )
    return str(source["label"]) if is_clear else GALAXY


def _is_near(row: Any, truth: pd.DataFrame) -> NDArray[np.bool_]:
    """Which true sources a source may be."""
    reach = np.fmax(MATCH_PX, MATCH_RADII * truth["half_light_radius_px"])
    reach = reach.mask(truth["is_saturated"], SATURATED_MATCH_PX)
    distance = np.hypot(truth["x"] - row.x, truth["y"] - row.y)
    return np.asarray(distance < reach)


def _inside(row: Any, truth: pd.DataFrame) -> pd.DataFrame:
    """True sources in a footprint, the brightest first."""
    is_inside = truth["x"].between(row.xmin, row.xmax)
    return truth[is_inside & truth["y"].between(row.ymin, row.ymax)]


def _num_within(sources: pd.DataFrame, magnitudes: float) -> int:
    """How many are at most so much fainter than the brightest."""
    limit = sources["r_magnitude"].min() + magnitudes
    return int((sources["r_magnitude"] <= limit).sum())


def _is_piece(row: Any, parent: Any, truth: pd.DataFrame) -> bool:
    """Whether a child is the middle of a galaxy that its parent is as a whole."""
    is_alone = _num_within(_inside(parent, truth), PAIR_MAGNITUDES) == 1
    return is_alone and row.half_light_radius < PIECE_SIZE * parent.half_light_radius


def label_real(rows: pd.DataFrame) -> list[str | None]:
    """Label a real frame's sources, of which most are stars.

    Stars of one flux are of one size, and the brightest, whose light is white, are
    stars of whatever shape; a source that is neither a star nor made of stars, nor in
    the light of a bright one, has no label.
    """
    is_white = (rows["flags"] & SATURATED) > 0
    is_bright = is_white & (rows["flux"] >= rows["flux"].quantile(BRIGHTEST))
    is_star = like_stars(rows) | is_bright
    of_parent = is_star.groupby(rows["parent_id"]).all()
    is_pair = (rows["num_children"] > 1) & rows["object_id"].map(of_parent).eq(True)
    is_lit = (rows["flags"] & NEAR_BRIGHT_STAR) > 0
    labels = np.full(len(rows), None, object)
    labels[(is_pair | is_lit).to_numpy()] = ARTEFACT
    labels[(is_star & (is_bright | ~is_pair)).to_numpy()] = STAR
    return list(labels)


def like_stars(rows: pd.DataFrame) -> pd.Series:
    """Whether sources are round, and as large as most sources of their flux."""
    is_clean = (rows["flags"] & (BLENDED | AT_EDGE | NEAR_BRIGHT_STAR)) == 0
    flux, size = np.log10(rows["flux"]), rows["half_light_radius"]
    edges = np.quantile(flux[is_clean], np.linspace(0, 1, NUM_BINS + 1))
    middles = (edges[1:] + edges[:-1]) / 2
    typical = [
        size[is_clean & flux.between(low, high)].median()
        for low, high in zip(edges[:-1], edges[1:], strict=True)
    ]
    ratio = size / np.interp(flux, middles, typical)
    is_round = rows["b"] / rows["a"] >= MIN_STAR_ROUNDNESS
    is_star: pd.Series = ratio.between(*STAR_SIZES) & is_round
    return is_star & ((rows["flags"] & (AT_EDGE | NEAR_BRIGHT_STAR)) == 0)


def label_injected(
    rows: pd.DataFrame, added: pd.DataFrame, before: pd.DataFrame
) -> list[str | None]:
    """Label the sources of a real frame that are added galaxies, or pieces of them.

    Args:
        rows: of the frame with the galaxies.
        added: the galaxies.
        before: of the frame without them.
    """
    gaps, nearest = cKDTree(added[["x", "y"]]).query(rows[["x", "y"]])
    r90 = added["r90_px"].to_numpy()[nearest]
    old, _ = cKDTree(before[["x", "y"]]).query(rows[["x", "y"]])
    names = added["label"].to_numpy()[nearest]
    is_galaxy = gaps < np.fmax(MATCH_PX, MATCH_RADII * r90 / 2)
    families = {row.object_id: row for row in rows.itertuples()}
    labels: list[str | None] = []
    for row, is_here, name, gap, reach, age in zip(
        rows.itertuples(), is_galaxy, names, gaps, r90, old, strict=True
    ):
        parent = families.get(row.parent_id)
        is_new = age > MAX_STAR_GAP_PX
        is_small = (
            parent is not None
            and row.half_light_radius < PIECE_SIZE * parent.half_light_radius
        )
        if is_here:
            labels.append(ARTEFACT if is_small else str(name))
        else:
            labels.append(ARTEFACT if is_new and gap < reach else None)
    return labels
