"""Pixels -> positions and angles on the sky (ICRS), as astropy has them.

It knows a WCS and arrays; it knows neither images nor sources.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

STEP_PX = 1.0  # along the major axis, to see where it points


def sky_positions(
    wcs: Any, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find right ascensions and declinations (deg, ICRS).

    Args:
        wcs: a celestial ``astropy.wcs.WCS``.
        x: columns (px), 0-based.
        y: rows (px), 0-based.
    """
    places = _places(wcs, x, y)
    return places.ra.deg, places.dec.deg


def position_angles(
    wcs: Any,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    theta: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Find how axes lie on the sky (deg, east of north, from 0 to 180).

    Args:
        wcs: a celestial ``astropy.wcs.WCS``.
        x: columns (px), 0-based.
        y: rows (px), 0-based.
        theta: angles of the axes, radians from the x axis towards y.
    """
    here = _places(wcs, x, y)
    there = _places(wcs, x + STEP_PX * np.cos(theta), y + STEP_PX * np.sin(theta))
    angles: NDArray[np.float64] = here.position_angle(there).deg % 180
    return angles


def _places(wcs: Any, x: NDArray[np.float64], y: NDArray[np.float64]) -> Any:
    from astropy.wcs.utils import pixel_to_skycoord

    return pixel_to_skycoord(x, y, wcs, origin=0).icrs
