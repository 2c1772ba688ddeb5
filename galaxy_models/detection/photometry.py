"""Flux, size, shape and position of extracted sources.

Lengths are in pixels of the tile. This module knows planes of light; it knows neither
files nor the sky.

Source:
    Kron 1980, ApJS 43, 305; Bertin & Arnouts 1996, A&AS 117, 393 (elliptical
    apertures, half-light radii, windowed centroids).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import sep
from numpy.typing import NDArray

from galaxy_models.detection.extraction import Extraction, Sources
from galaxy_models.tables.detection_schema import AT_EDGE, BLENDED, SATURATED

KRON_FACTOR = 2.5
MIN_KRON_RADIUS = 3.5  # in units of the ellipse's axes, as SExtractor has it
SEARCH_RADIUS = 6.0  # in the same units
MIN_AXIS_PX = 0.5
FWHM_PER_HALF_LIGHT = 2.0  # of a Gaussian, exactly
SIGMA_PER_FWHM = 1 / 2.35
MAX_WINDOW_PX = 20.0  # of half-light radii; a trail's would take seconds
MAX_SHIFT = 0.5  # of a windowed centroid, in half-light radii; beyond, it ran away
MIN_POINT_SOURCES = 5
POINT_SOURCE_SNR = 20
POINT_SOURCE_PERCENTILE = 10


@dataclass(frozen=True)
class Photometry:
    """Measurements; each an array with an entry for each source."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]
    flux_error: NDArray[np.float64]
    half_light_radius: NDArray[np.float64]
    r90: NDArray[np.float64]
    """Radius that holds 90 % of the flux."""

    @property
    def snr(self) -> NDArray[np.float64]:
        """Flux over its error."""
        return self.flux / self.flux_error


def measure(
    extraction: Extraction, sources: Sources, chosen: NDArray[np.int64], rms: float
) -> Photometry:
    """Measure sources; light of others in their ellipses is left out.

    Args:
        extraction: the tile.
        sources: its parents or its children.
        chosen: numbers of those that are measured.
        rms: noise of a pixel.
    """
    table, light, mask = sources.table[chosen], extraction.light, extraction.is_unknown
    major, minor = (np.fmax(table[name], MIN_AXIS_PX) for name in "ab")
    ellipse = table["x"], table["y"], major, minor, _within_half_turn(table["theta"])
    owner = {
        "segmap": sources.segments,
        "seg_id": (chosen + 1).astype(np.int32),
        "mask": mask,
    }
    kron, _ = sep.kron_radius(light, *ellipse, SEARCH_RADIUS, **owner)
    radius = np.maximum(KRON_FACTOR * np.nan_to_num(kron), MIN_KRON_RADIUS)
    flux, error, _ = sep.sum_ellipse(light, *ellipse, radius, err=rms, **owner)
    flux = np.where(flux > 0, flux, table["flux"])  # a faint one in a bright one's dip
    radii, _ = sep.flux_radius(
        light,
        table["x"],
        table["y"],
        SEARCH_RADIUS * major,
        [0.5, 0.9],
        normflux=flux,
        mask=mask,
    )
    half = np.maximum(radii[:, 0], MIN_AXIS_PX)
    x, y = _windowed(light, mask, table["x"], table["y"], half)
    return Photometry(x, y, flux, error, half, np.maximum(radii[:, 1], half))


def _within_half_turn(theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles that sep takes: rounding leads beyond a quarter turn."""
    return np.clip(np.nan_to_num(theta), -np.pi / 2, np.pi / 2)


def _windowed(
    light: NDArray[np.float32],
    mask: NDArray[np.bool_],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    half_light_radius: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centroids under a Gaussian window, where they stay near where they began."""
    radius = np.minimum(half_light_radius, MAX_WINDOW_PX)
    sigma = SIGMA_PER_FWHM * FWHM_PER_HALF_LIGHT * radius
    new_x, new_y, flags = sep.winpos(light, x, y, sigma, mask=mask)
    shift = np.hypot(new_x - x, new_y - y)
    is_good = (flags == 0) & (shift <= np.maximum(1, MAX_SHIFT * radius))
    return np.where(is_good, new_x, x), np.where(is_good, new_y, y)


def point_source_radius(sources: pd.DataFrame) -> float:
    """Half-light radius of a tile's point sources (px): of its smallest sources.

    Args:
        sources: at least one, with ``half_light_radius``, ``snr`` and ``flags``.
    """
    is_clean = sources["flags"] & (BLENDED | SATURATED | AT_EDGE) == 0
    is_bright = is_clean & (sources["snr"] >= POINT_SOURCE_SNR)
    for chosen in (is_bright, is_clean):
        if chosen.sum() >= MIN_POINT_SOURCES:
            radii = sources.loc[chosen, "half_light_radius"]
            return float(np.percentile(radii, POINT_SOURCE_PERCENTILE))
    return float(sources["half_light_radius"].min())
