"""What is wrong with a source: the bits of ``flags``."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from galaxy_models.detection.extraction import Extraction, Sources
from galaxy_models.detection.region import Region
from galaxy_models.tables.detection_schema import (
    AT_EDGE,
    BLENDED,
    NEAR_BRIGHT_STAR,
    NOT_DEBLENDED,
    SATURATED,
)

MERGED_BY_SEP = 1  # sep.OBJ_MERGED
MIN_ROUNDNESS = 0.3  # of a saturated star; a satellite's trail is thinner


def source_flags(
    region: Region, extraction: Extraction, sources: Sources
) -> NDArray[np.int32]:
    """Flag all sources of one level.

    Args:
        region: the tile.
        extraction: of it.
        sources: its parents or its children.

    Returns:
        int32, a sum of the bits of ``detection_schema``, an entry for each source.
    """
    is_cut = _is_cut(region, extraction)
    is_saturated = _touching(sources, region.is_saturated)
    bits = {
        BLENDED: (sources.table["flag"] & MERGED_BY_SEP) > 0,
        SATURATED: is_saturated,
        AT_EDGE: _touching(sources, is_cut),
        NEAR_BRIGHT_STAR: _near_saturated(region, extraction, sources) & ~is_saturated,
        NOT_DEBLENDED: np.full(len(sources.table), not extraction.is_deblended),
    }
    flags = np.zeros(len(sources.table), np.int32)
    for bit, is_set in bits.items():
        flags |= np.where(is_set, np.int32(bit), np.int32(0))
    return flags


def _touching(sources: Sources, pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a source has any of some pixels."""
    num_sources = len(sources.table)
    counts = np.bincount(sources.segments[pixels], minlength=num_sources + 1)
    return counts[1:] > 0


def _is_cut(region: Region, extraction: Extraction) -> NDArray[np.bool_]:
    """Pixels at the image's edge, or beside one without a value."""
    is_cut = extraction.is_unknown
    if is_cut.any():
        is_cut = binary_dilation(is_cut, np.ones((3, 3), bool))
    is_cut = is_cut.copy()
    whole, image = region.tile.whole, region.image
    is_cut[0, :] |= whole.top == 0
    is_cut[-1, :] |= whole.bottom == image.height
    is_cut[:, 0] |= whole.left == 0
    is_cut[:, -1] |= whole.right == image.width
    return is_cut


def _near_saturated(
    region: Region, extraction: Extraction, sources: Sources
) -> NDArray[np.bool_]:
    """Whether a source stands in the square that a saturated one's light fills."""
    stars = extraction.parents.table[_touching(extraction.parents, region.is_saturated)]
    is_near = np.zeros(len(sources.table), bool)
    for star in stars:
        reach = max(star["xmax"] - star["xmin"], star["ymax"] - star["ymin"]) / 2
        dx = np.abs(sources.table["x"] - star["x"])
        dy = np.abs(sources.table["y"] - star["y"])
        is_near |= np.maximum(dx, dy) <= reach
    return is_near
