"""Positions -> HEALPix index -> the partitions of a HATS catalog.

The index is the number of a galaxy's pixel at order 29 (0.4 mas), nested: the galaxies
of any larger pixel have a range of it to themselves.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

INDEX_COLUMN = "_healpix_29"
INDEX_ORDER = 29
HISTOGRAM_ORDER = (
    8  # 786,432 pixels of 14 arcmin; surveys have some 10^4 galaxies in one
)
PIXELS_PER_FOLDER = 10_000


class Partition(NamedTuple):
    """A pixel of the sky whose galaxies make up one file."""

    order: int
    pixel: int
    num_rows: int

    @property
    def start(self) -> int:
        """The smallest index in the pixel."""
        return self.pixel << 2 * (INDEX_ORDER - self.order)

    @property
    def path(self) -> str:
        """Where the file lies below the catalog's ``dataset``."""
        folder = self.pixel // PIXELS_PER_FOLDER * PIXELS_PER_FOLDER
        return f"Norder={self.order}/Dir={folder}/Npix={self.pixel}.parquet"


def healpix_index(
    ra: NDArray[np.float64], dec: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Give the index of positions on the sky.

    Args:
        ra: shape (rows,), right ascensions (deg), of any number of turns.
        dec: shape (rows,), declinations (deg).

    Returns:
        Shape (rows,).
    """
    from astropy.coordinates import Latitude, Longitude  # takes a second
    from cdshealpix.nested import lonlat_to_healpix

    pixels = lonlat_to_healpix(
        Longitude(ra, unit="deg"), Latitude(dec, unit="deg"), INDEX_ORDER
    )
    return np.asarray(pixels, np.int64)


def empty_histogram() -> NDArray[np.int64]:
    """Galaxies in each pixel at ``HISTOGRAM_ORDER``: none yet."""
    return np.zeros(12 * 4**HISTOGRAM_ORDER, np.int64)


def count_rows(histogram: NDArray[np.int64], index: NDArray[np.int64]) -> None:
    """Add galaxies to a histogram."""
    np.add.at(histogram, index >> 2 * (INDEX_ORDER - HISTOGRAM_ORDER), 1)


def choose_partitions(histogram: NDArray[np.int64], max_rows: int) -> list[Partition]:
    """Cut the sky into the largest pixels that have few enough galaxies.

    Args:
        histogram: galaxies in each pixel at ``HISTOGRAM_ORDER``.
        max_rows: galaxies per partition; smaller pixels than those of the histogram
            there are none, though they have more.

    Returns:
        The pixels that have galaxies, in the order of the index.
    """
    partitions = []
    are_covered = np.zeros(12, bool)
    for order in range(HISTOGRAM_ORDER + 1):
        counts = histogram.reshape(12 * 4**order, -1).sum(axis=1)
        are_few = (counts <= max_rows) | (order == HISTOGRAM_ORDER)
        chosen = ~are_covered & (counts > 0) & are_few
        pixels = np.flatnonzero(chosen).tolist()
        partitions += [Partition(order, pixel, int(counts[pixel])) for pixel in pixels]
        are_covered = np.repeat(are_covered | chosen, 4)
    return sorted(partitions, key=lambda partition: partition.start)
