"""The noise of a whole image, from samples, and the plane in which sources are sought.

Every tile of an image uses the same noise, whichever worker has it: it depends on the
image alone. This module knows neither tiles nor sources.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import sep
from numpy.typing import NDArray

from galaxy_models.errors import ImageDecodeError
from galaxy_models.images.wide_image import WideImage

SAMPLE_PX = 256
SAMPLES_PER_SIDE = 3
SAMPLE_MESH_PX = 64
MIN_GREY_RMS = 0.5  # grey levels; a JPEG's sky is often clipped to a single level


@dataclass(frozen=True)
class Noise:
    """How bands are added up, and the noise of their sum."""

    weights: tuple[float, ...]
    """Of each band; they add up to 1."""

    rms: float
    """Of a pixel of the weighted sum, in the image's unit; 0 if all are alike."""


def measure_noise(image: WideImage) -> Noise:
    """Measure the noise in up to 9 places spread over an image.

    Fluxes are weighted by their inverse variance; the colours of a picture, which its
    maker has balanced, equally.

    Raises:
        ImageDecodeError: reason ``unreadable``: no pixel is finite, or it cannot be
            read.
    """
    samples = _samples(image)
    weights = _inverse_variances(samples) if image.is_linear else None
    if weights is None:
        weights = np.ones(len(samples[0]))
    shares = tuple(map(float, weights / weights.sum()))
    rms = _typical([_rms(weighted_sum(planes, shares)) for planes in samples])
    if not image.is_linear and rms > 0:
        rms = max(rms, MIN_GREY_RMS)
    return Noise(shares, rms)


def _inverse_variances(
    samples: list[NDArray[np.float32]],
) -> NDArray[np.float64] | None:
    """Of each band; None if one of them has no noise."""
    bands = zip(*samples, strict=True)
    rms = np.array([_typical([_rms(plane) for plane in planes]) for planes in bands])
    return 1 / rms**2 if (rms > 0).all() else None


def weighted_sum(
    planes: NDArray[np.float32], weights: tuple[float, ...]
) -> NDArray[np.float32]:
    """Add bands up.

    Args:
        planes: float32, shape (bands, rows, columns); NaN where nothing is known.
        weights: of each band.

    Returns:
        float32, shape (rows, columns); NaN where any band is.
    """
    total = np.zeros(planes.shape[1:], np.float32)
    for plane, weight in zip(planes, weights, strict=True):  # not BLAS: the same bits
        total += np.float32(weight) * plane
    return total


def _samples(image: WideImage) -> list[NDArray[np.float32]]:
    """Read some places; elsewhere only if these hold nothing.

    Raises:
        ImageDecodeError: no pixel is finite.
    """
    spread = [
        image.read(*place)
        for place in product(
            _spread(image.height),
            _spread(image.width),
        )
    ]
    good = list(filter(_has_values, spread))
    if good:
        return good
    for place in product(_all(image.height), _all(image.width)):
        planes = image.read(*place)
        if _has_values(planes):
            return [planes]
    raise ImageDecodeError("unreadable", "no pixel is finite in all bands")


def _spread(side: int) -> list[slice]:
    """Runs of ``SAMPLE_PX``, evenly spread; fewer if they would overlap."""
    number = min(SAMPLES_PER_SIDE, -(-side // SAMPLE_PX))
    last = max(0, side - SAMPLE_PX)
    starts = np.linspace(0, last, number).round().astype(int)
    return [slice(int(start), min(int(start) + SAMPLE_PX, side)) for start in starts]


def _all(side: int) -> Iterator[slice]:
    return (slice(at, min(at + SAMPLE_PX, side)) for at in range(0, side, SAMPLE_PX))


def _has_values(planes: NDArray[np.float32]) -> bool:
    return bool(np.isfinite(planes).all(axis=0).any())


def _rms(plane: NDArray[np.float32]) -> float:
    """Noise of a plane; 0 if its values are all the same, or there is none."""
    mesh, mask = SAMPLE_MESH_PX, None
    is_known = np.isfinite(plane)
    known = plane if is_known.all() else plane[is_known]
    if not known.size or known.min() == known.max():  # sep would say 1
        return 0.0
    if known is not plane:
        plane, mask = np.where(is_known, plane, np.float32(0)), ~is_known
    return float(sep.Background(plane, mask=mask, bw=mesh, bh=mesh).globalrms)


def _typical(values: list[float]) -> float:
    """Median of the positive ones; 0 if there is none."""
    positive = [value for value in values if value > 0]
    return float(np.median(positive)) if positive else 0.0
