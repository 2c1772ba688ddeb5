"""Light that is no source of its own: a larger one's wings, broken up by noise.

SExtractor cleans by the same thought. But it looks at sources after deblending, which
deals faint pixels out by random numbers, and at neighbours however far away, so that a
source was kept in one tile and not in the next. Here whole patches of light, which
random numbers do not touch, are held against patches that the tile's halo is sure to
hold. This module knows pixels; it knows neither files nor tiles.

Source:
    Bertin & Arnouts 1996, A&AS 117, 393, section 7.4.
"""

from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from galaxy_models.detection.tiles import HALO_PX

WING_RADII = 3.0  # of a patch, as far as its wings are looked for
MIN_EXCESS = 2.5  # of a source's brightness above the threshold, over the wings' there
REACH_PX = HALO_PX - 32  # the middle of a faint source is that near to its peak


@dataclass(frozen=True)
class _Patches:
    """Pixels above the threshold that touch; each array has an entry for a patch."""

    middles: NDArray[np.float64]
    """Row and column, shape (patches, 2)."""

    areas: NDArray[np.int64]
    boxes: NDArray[np.int64]
    """First and last row, first and last column, shape (patches, 4)."""

    @property
    def radii(self) -> NDArray[np.float64]:
        """Of circles of the same areas."""
        return np.sqrt(self.areas / np.pi)


def wing_pixels(
    segments: NDArray[np.int32],
    peaks: NDArray[np.int64],
    brightness: NDArray[np.float64],
    threshold: float,
) -> NDArray[np.bool_]:
    """Find the patches of light that are wings of larger ones.

    A larger patch has the threshold's brightness at its edge; from there its wings
    fall with the square of the distance.

    Args:
        segments: int32, shape (rows, columns): a source's number from 1; 0 for the sky.
        peaks: int64, shape (sources, 2): row and column of a pixel of each source.
        brightness: shape (sources,): of each source's brightest smoothed pixel.
        threshold: above 0; smoothed pixels above it are sources'.

    Returns:
        bool, shape (rows, columns): whether a pixel is such a patch's.
    """
    cv2.setNumThreads(1)  # else a thread a core in each actor
    num_labels, labels = cv2.connectedComponents((segments > 0).view(np.uint8))
    is_wing = np.zeros(num_labels, bool)
    if num_labels > 1:
        highest = np.zeros(num_labels)
        np.maximum.at(highest, labels[peaks[:, 0], peaks[:, 1]], brightness)
        excess = highest[1:] / threshold - 1
        is_wing[1:] = excess < MIN_EXCESS * _wings(_patches(labels))
    return np.asarray(is_wing.take(labels))


def _patches(labels: NDArray[np.int32]) -> _Patches:
    """Measure patches, numbered from 1."""
    pixels = np.flatnonzero(labels > 0)  # several times as fast as two indices
    patch = labels.ravel()[pixels]
    rows, columns = np.divmod(pixels, labels.shape[1])
    areas = np.bincount(patch)[1:]
    sums = [np.bincount(patch, places)[1:] for places in (rows, columns)]
    by_patch, starts = np.argsort(patch, kind="stable"), np.cumsum(areas) - areas
    boxes = [
        edge.reduceat(places[by_patch], starts)
        for places in (rows, columns)
        for edge in (np.minimum, np.maximum)
    ]
    middles = np.stack(sums, axis=1) / areas[:, None]
    return _Patches(middles, areas, np.stack(boxes, axis=1))


def _wings(patches: _Patches) -> NDArray[np.float64]:
    """Find the brightest wings of larger patches at each one, in thresholds."""
    near = KDTree(patches.middles).query_ball_point(
        patches.middles, WING_RADII * patches.radii, return_sorted=False
    )
    bright = np.repeat(np.arange(len(near)), [len(found) for found in near])
    faint = np.fromiter(chain.from_iterable(near), np.int64, len(bright))
    is_larger = patches.areas[bright] > patches.areas[faint]
    bright, faint = bright[is_larger], faint[is_larger]
    is_held = _farthest(patches.boxes[bright], patches.middles[faint]) < REACH_PX
    bright, faint = bright[is_held], faint[is_held]
    distances = np.linalg.norm(patches.middles[bright] - patches.middles[faint], axis=1)
    wings = np.zeros(len(near))
    np.maximum.at(wings, faint, (patches.radii[bright] / distances) ** 2)
    return wings


def _farthest(
    boxes: NDArray[np.int64], points: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How far boxes reach from points, along rows or columns."""
    to_edges = np.abs(boxes - np.repeat(points, 2, axis=1))
    return np.asarray(to_edges.max(axis=1))
