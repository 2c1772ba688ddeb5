"""What a camera adds to a wide frame: spikes, full wells that overflow, trails.

Each function changes a frame of all bands in place, before any noise. It knows pixels
and fluxes; it does not know which sources the light came from.
"""

import math

import numpy as np
from numpy.typing import NDArray

from galaxy_models.simulation.camera import (
    RELATIVE_SEEING,
    ZERO_POINT_MAG,
    fluxes_in_bands,
)

SATURATION = 120.0  # nanomaggies a pixel: SDSS's wells are full at r = 14 or so
MOFFAT_BETA = 2.5  # as ``camera`` blurs; its wings reach far beyond a source's stamp
WING_PX = 160  # of a bright star; fainter than the sky's noise outside
SPIKE_FRACTION = 2e-4  # of a star's flux, in a pixel of a spike at the star
SPIKE_SCALE_PX = 8.0  # distance at which a spike has a quarter of its brightness
SPIKE_WIDTH_PX = 1.0  # standard deviation across
TRAIL_WIDTH_PX = 1.5  # standard deviation across
SUNLIGHT = fluxes_in_bands(ZERO_POINT_MAG, 0.44, 0.11)  # a trail's colour; 1 in r


def add_bright_star(
    frame: NDArray[np.float32],
    place: tuple[float, float],
    fluxes: NDArray[np.float32],
    seeing_px: float,
) -> None:
    """Add a star with its far wings and four diffraction spikes, at 45 degrees.

    Args:
        frame: float32, shape (bands, height, width), nanomaggies a pixel.
        place: the star's (x, y), px.
        fluxes: float32, shape (bands,), nanomaggies.
        seeing_px: full width at half maximum in the r band (px).
    """
    x, y = place
    height, width = frame.shape[1:]
    rows = slice(max(0, round(y) - WING_PX), min(height, round(y) + WING_PX + 1))
    columns = slice(max(0, round(x) - WING_PX), min(width, round(x) + WING_PX + 1))
    dy = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - np.float32(y)
    dx = np.arange(columns.start, columns.stop, dtype=np.float32) - np.float32(x)
    diagonal = np.float32(math.sqrt(0.5))
    spikes = _spikes((dx + dy) * diagonal, (dx - dy) * diagonal)
    for band, relative in enumerate(RELATIVE_SEEING):
        light = _moffat(np.hypot(dx, dy), seeing_px * relative) + spikes
        frame[band, rows, columns] += fluxes[band] * light


def _moffat(radius: NDArray[np.float32], fwhm: float) -> NDArray[np.float32]:
    """A Moffat profile of flux 1 in a pixel's area, at radii in px."""
    scale = fwhm / (2 * math.sqrt(2 ** (1 / MOFFAT_BETA) - 1))
    peak = (MOFFAT_BETA - 1) / (math.pi * scale**2)
    profile: NDArray[np.float32] = peak * (1 + (radius / scale) ** 2) ** -MOFFAT_BETA
    return profile


def _spikes(
    along: NDArray[np.float32], across: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Two lines through the star, each bright in both directions."""
    light = np.zeros(np.broadcast(along, across).shape, np.float32)
    for distance, offset in ((along, across), (across, along)):
        fading = 1 / (1 + np.abs(distance) / SPIKE_SCALE_PX) ** 2
        light += fading * np.exp(-((offset / SPIKE_WIDTH_PX) ** 2) / 2)
    return SPIKE_FRACTION * light


def add_trail(
    frame: NDArray[np.float32],
    place: tuple[float, float],
    angle: float,
    brightness: float,
) -> None:
    """Add what a satellite leaves: a straight line across the frame.

    Args:
        frame: float32, shape (bands, height, width), nanomaggies a pixel.
        place: a point (x, y) on the line, px.
        angle: of the line to the x axis, radians.
        brightness: nanomaggies a pixel in the middle of the line, in the r band.
    """
    height, width = frame.shape[1:]
    dy = np.arange(height, dtype=np.float32)[:, None] - place[1]
    dx = np.arange(width, dtype=np.float32)[None, :] - place[0]
    across = dy * math.cos(angle) - dx * math.sin(angle)
    line = brightness * np.exp(-((across / TRAIL_WIDTH_PX) ** 2) / 2)
    frame += SUNLIGHT[:, None, None] * line


def overflow(frame: NDArray[np.float32]) -> None:
    """Clip full wells, and let their charge run up and down its column.

    Args:
        frame: float32, shape (bands, height, width), nanomaggies a pixel.
    """
    for band in frame:
        for column in np.flatnonzero((band > SATURATION).any(axis=0)):
            _overflow_column(band[:, column])


def _overflow_column(column: NDArray[np.float32]) -> None:
    """Spread what is above ``SATURATION`` over the nearest wells with room."""
    full = np.flatnonzero(column > SATURATION)
    for run in np.split(full, np.flatnonzero(np.diff(full) > 1) + 1):
        excess = float((column[run] - SATURATION).sum())
        column[run] = SATURATION
        _fill_nearest(column, int(run.mean()), excess)


def _fill_nearest(column: NDArray[np.float32], middle: int, excess: float) -> None:
    distances = np.abs(np.arange(len(column)) - middle)
    for row in np.argsort(distances, kind="stable"):
        charge = min(excess, SATURATION - float(column[row]))
        column[row] += charge
        excess -= charge
        if excess <= 0:
            return
