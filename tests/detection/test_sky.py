"""Positions and angles on the sky."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from galaxy_models.detection.sky import position_angles, sky_positions

CENTRE = np.array([50.0]), np.array([50.0])


def turned(degrees: float, **cards: str) -> WCS:
    """North up and east left, turned from north towards east."""
    angle = np.radians(degrees)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix = (10, 20), (51, 51)
    cosine, sine = np.cos(angle), np.sin(angle)
    wcs.wcs.cd = 1e-4 * np.array([[-cosine, sine], [sine, cosine]])
    for name, value in cards.items():
        setattr(wcs.wcs, name, value)
    return wcs


@pytest.mark.parametrize(
    ("theta_deg", "rotation_deg", "expected_deg"),
    [(0, 0, 90), (90, 0, 0), (45, 0, 135), (-45, 0, 45), (0, 30, 120), (90, 30, 30)],
)
def test_an_axis_is_east_of_north(
    theta_deg: float, rotation_deg: float, expected_deg: float
) -> None:
    theta = np.radians([theta_deg])
    (angle,) = position_angles(turned(rotation_deg), *CENTRE, theta)
    assert (angle - expected_deg + 90) % 180 == pytest.approx(90, abs=0.01)
    assert 0 <= angle <= 180


def test_positions_of_older_frames_become_icrs() -> None:
    wcs = turned(0, radesys="FK4")
    wcs.wcs.equinox = 1950
    ra, dec = sky_positions(wcs, *CENTRE)
    expected = SkyCoord(10, 20, unit="deg", frame="fk4").icrs
    found = SkyCoord(ra[0], dec[0], unit="deg")
    assert found.separation(expected).arcsec < 1
    assert found.separation(SkyCoord(10, 20, unit="deg")).deg > 0.5
