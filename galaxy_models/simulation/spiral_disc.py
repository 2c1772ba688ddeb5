"""Brightness of a spiral galaxy's disc, painted on the camera's grid.

Discs with arms have no closed form in GalSim, so these are numpy pictures, not
yet blurred. Fluxes and colours are the caller's.
"""

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from galaxy_models.simulation.camera import GRID_PX, PIXEL_SCALE_ARCSEC


@cache
def _grid_arcsec() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Each grid pixel's x and y in arcsec, shapes (1, GRID_PX) and (GRID_PX, 1)."""
    axis = (np.arange(GRID_PX, dtype=np.float32) - GRID_PX // 2) * np.float32(
        PIXEL_SCALE_ARCSEC
    )
    return axis[None, :], axis[:, None]


def disc_plane(
    centre_arcsec: tuple[float, float], position_angle: float, axis_ratio: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Radius (arcsec) and azimuth (radians) in the plane of an inclined disc.

    Args:
        centre_arcsec: the disc's offset (x, y) from the frame's centre.
        position_angle: of the apparent major axis, radians from the x axis.
        axis_ratio: apparent minor over major axis, the cosine of the inclination.

    Returns:
        Two float32 arrays of shape (GRID_PX, GRID_PX); azimuth is 0 on the major
        axis.
    """
    x, y = _grid_arcsec()
    dx, dy = x - centre_arcsec[0], y - centre_arcsec[1]
    cosine, sine = math.cos(position_angle), math.sin(position_angle)
    along = dx * cosine + dy * sine
    across = (dy * cosine - dx * sine) / axis_ratio
    return np.hypot(along, across) + np.float32(1e-3), np.arctan2(across, along)


def spiral_arms(
    radius: NDArray[np.float32],
    azimuth: NDArray[np.float32],
    inner_radius: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Strength of logarithmic spiral arms, 0 between arms and 1 on a crest.

    A crest obeys radius = inner_radius * exp(azimuth * tan(pitch)), so its angle
    to the circle, the pitch, is the same everywhere. Arms begin at inner_radius.

    Source:
        Seigar & James 1998, MNRAS 299, 685: pitch angles of real discs.
    """
    num_arms = int(rng.choice((2, 2, 2, 3, 4)))
    pitch = math.radians(rng.uniform(14, 26))
    winding = float(rng.choice((-1.0, 1.0)))
    turn = np.log(radius / inner_radius) / math.tan(pitch)
    phase = num_arms * (winding * azimuth - turn) + rng.uniform(0, 2 * np.pi)
    crest = ((1 + np.cos(phase)) / 2) ** rng.uniform(1.5, 3.0)
    fade_in = 1 / (1 + (inner_radius / radius) ** 4)
    arms: NDArray[np.float32] = (crest * fade_in).astype(np.float32)
    return arms


def with_knots(
    brightness: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Adds star clusters, each 0.4 to 1.5 % of the light, where there is light."""
    cumulative = np.cumsum(brightness, dtype=np.float64)
    num_knots = rng.integers(6, 20)
    places = np.searchsorted(cumulative, rng.random(num_knots) * cumulative[-1])
    knots = np.zeros(brightness.size, dtype=np.float32)
    np.add.at(knots, places, rng.uniform(0.004, 0.015, num_knots) * cumulative[-1])
    return brightness + knots.reshape(brightness.shape)
