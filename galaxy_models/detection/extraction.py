"""Sources of a tile, and what each can be split into, by SExtractor's algorithms.

Deblending is asked twice: reluctantly for parents, which keeps spirals whole, and
eagerly for children. Which of them is right, pixels alone cannot say. This module
knows planes of light; it knows neither files nor tiles nor the sky.

Source:
    Bertin & Arnouts 1996, A&AS 117, 393; Barbary 2016, JOSS 1(6), 58 (sep).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import sep
from numpy.typing import NDArray

from galaxy_models.detection.background import background_of
from galaxy_models.detection.cleaning import wing_pixels
from galaxy_models.errors import ImageDecodeError
from galaxy_models.images.wide_image import WideImage

PARENT_CONTRAST = 0.05  # share of the light that a branch needs to be a source
CHILD_CONTRAST = 0.005  # SExtractor's default
MAX_SHARE_UNSPLIT = 0.5  # of a tile in one source that could not be split
NUM_LEVELS = 32  # of brightness at which a source may branch
MIN_PIXEL_STACK = 300_000  # pixels above the threshold at a time; sep's default
BUFFER_IS_FULL = "internal pixel buffer full"
TOO_MANY_PARTS = "deblending overflow"


class Threshold(NamedTuple):
    """What counts as a source."""

    sigma: float
    """Of the sky's noise, after smoothing, that each of its pixels exceeds."""

    min_pixels: int


FITS_THRESHOLD = Threshold(1.5, 5)  # SExtractor's defaults
PICTURE_THRESHOLD = Threshold(4.0, 12)  # JPEG's noise is clipped and correlated


def threshold_of(image: WideImage) -> Threshold:
    """What counts as a source in an image of this kind."""
    return FITS_THRESHOLD if image.is_linear else PICTURE_THRESHOLD


@dataclass(frozen=True)
class Sources:
    """Sources of one level, and whose each pixel is."""

    table: NDArray[Any]
    """What ``sep.extract`` gives, a structured array."""

    segments: NDArray[np.int32]
    """Shape of the tile: a source's number from 1; 0 for the sky."""

    peaks: NDArray[np.int64]
    """Row and column of each source's brightest pixel, shape (sources, 2)."""

    def outside(self, pixels: NDArray[np.bool_]) -> "Sources":
        """Give those whose peaks are not among some pixels, numbered anew."""
        is_kept = ~pixels[self.peaks[:, 0], self.peaks[:, 1]]
        numbers = np.concatenate([[0], np.where(is_kept, is_kept.cumsum(), 0)])
        segments = self.segments.copy()
        of_sources = np.flatnonzero(segments > 0)  # few; all as an index are memory
        segments.ravel()[of_sources] = numbers[segments.ravel()[of_sources]]
        return Sources(self.table[is_kept], segments, self.peaks[is_kept])


@dataclass(frozen=True)
class Extraction:
    """What was found in a tile."""

    light: NDArray[np.float32]
    """The tile without its background."""

    background: NDArray[np.float32]
    is_unknown: NDArray[np.bool_]
    """Pixels without a value."""

    parents: Sources
    children: Sources
    parent_of: NDArray[np.int64]
    """For each child the index of its parent; -1 for none."""

    is_deblended: bool
    """Whether deblending did not give up."""


def extract(plane: NDArray[np.float32], rms: float, threshold: Threshold) -> Extraction:
    """Find the sources of a tile.

    Args:
        plane: float32, shape (rows, columns); NaN where nothing is known.
        rms: noise of a pixel, above 0.
        threshold: what counts as a source.

    Raises:
        ImageDecodeError: reason ``crowded``: light is everywhere.
    """
    is_unknown = ~np.isfinite(plane)
    light = np.where(is_unknown, np.float32(0), plane)
    background = background_of(light, is_unknown)
    light -= background
    light[is_unknown] = 0
    search = _Search(plane, light, is_unknown, rms, threshold)
    parents, is_deblended = search.sources(PARENT_CONTRAST)
    children = parents
    if is_deblended:
        children, is_deblended = search.sources(CHILD_CONTRAST)
    if not is_deblended:
        children = parents
    wings = wing_pixels(
        parents.segments, parents.peaks, parents.table["cpeak"], threshold.sigma * rms
    )
    parents, children = parents.outside(wings), children.outside(wings)
    of_pixel = parents.segments[children.peaks[:, 0], children.peaks[:, 1]]
    return Extraction(
        light=light,
        background=background,
        is_unknown=is_unknown,
        parents=parents,
        children=children,
        parent_of=of_pixel.astype(np.int64) - 1,
        is_deblended=is_deblended,
    )


@dataclass(frozen=True)
class _Search:
    plane: NDArray[np.float32]
    light: NDArray[np.float32]
    is_unknown: NDArray[np.bool_]
    rms: float
    threshold: Threshold

    def sources(self, contrast: float) -> tuple[Sources, bool]:
        """Find sources; whole where splitting them is more than sep can do.

        Args:
            contrast: share of the light that a branch needs to be a source.

        Returns:
            The sources, and whether they were split.

        Raises:
            ImageDecodeError: reason ``crowded``.
        """
        try:
            return self._extract(contrast, NUM_LEVELS), True
        except Exception as error:  # sep raises Exception itself
            if TOO_MANY_PARTS not in str(error):
                raise ImageDecodeError("crowded", str(error)) from error
        whole = self._extract(contrast, num_levels=1)
        largest = whole.table["npix"].max(initial=0)
        if largest > MAX_SHARE_UNSPLIT * self.light.size:
            raise ImageDecodeError(
                "crowded", f"light in {largest} of {self.light.size} pixels of a tile"
            )
        return whole, False

    def _extract(self, contrast: float, num_levels: int) -> Sources:
        # sep reserves the whole stack on every call, so a small one comes first.
        sep.set_extract_pixstack(min(MIN_PIXEL_STACK, self.light.size))
        try:
            return self._extract_at_once(contrast, num_levels)
        except Exception as error:  # sep raises Exception itself
            if BUFFER_IS_FULL not in str(error):
                raise
        sep.set_extract_pixstack(self.light.size)
        return self._extract_at_once(contrast, num_levels)

    def _extract_at_once(self, contrast: float, num_levels: int) -> Sources:
        mask = self.is_unknown if self.is_unknown.any() else None  # costs sep time
        table, segments = sep.extract(
            self.light,
            self.threshold.sigma,
            err=self.rms,
            mask=mask,
            minarea=self.threshold.min_pixels,
            deblend_nthresh=num_levels,
            deblend_cont=contrast,
            segmentation_map=True,
            clean=False,  # cleaning.py says why
        )
        return Sources(table, segments, _peaks(self.plane, table, segments))


def _peaks(
    plane: NDArray[np.float32], table: NDArray[Any], segments: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Find each source's brightest pixel; of equal ones the first, row by row.

    sep's own are those of the light above the background, which differs by less than
    a bit from tile to tile: enough to choose another of a JPEG's equal pixels, and so
    another id for the same source.
    """
    pixels = np.flatnonzero(segments > 0)
    labels, values = segments.ravel()[pixels], plane.ravel()[pixels]
    highest = np.full(len(table) + 1, -np.inf, values.dtype)
    np.fmax.at(highest, labels, values)  # a gap may be among a source's pixels
    is_highest = values == highest[labels]
    found, first = np.unique(labels[is_highest], return_index=True)
    brightest = np.divmod(pixels[is_highest][first], plane.shape[1])
    peaks = np.stack([table["ypeak"], table["xpeak"]], axis=1).astype(np.int64)
    peaks[found - 1] = np.stack(brightest, axis=1)
    return peaks
