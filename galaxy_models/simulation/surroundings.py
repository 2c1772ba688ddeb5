"""What else is in the frame: foreground stars and background galaxies.

Nothing here knows which galaxy they stand beside, but that it is in the middle.
"""

import galsim
import numpy as np
from numpy.typing import NDArray

from galaxy_models.simulation.camera import (
    FRAME_ARCSEC,
    LOW_ACCURACY,
    Light,
    fluxes_in_bands,
    transform_profile,
)

NUM_STARS = 2.2  # in a frame, on average
NUM_NEIGHBOURS = 1.3  # in a frame, on average
CLEAR_RADIUS_ARCSEC = 7.0  # around the galaxy, free of other sources' centres

STAR_R_MAGNITUDES = (15.5, 20.5)
NEIGHBOUR_R_MAGNITUDES = (17.8, 21.0)


def draw_surroundings(rng: np.random.Generator) -> list[Light]:
    """Stars and small galaxies, a Poisson number each, none near the centre."""
    stars = [_star(rng) for _ in range(rng.poisson(NUM_STARS))]
    return stars + [_neighbour(rng) for _ in range(rng.poisson(NUM_NEIGHBOURS))]


def _place(rng: np.random.Generator) -> tuple[float, float]:
    """Offset (x, y) in arcsec, uniform on the frame outside the clear circle."""
    while True:
        x, y = rng.uniform(-FRAME_ARCSEC / 2, FRAME_ARCSEC / 2, size=2)
        if np.hypot(x, y) > CLEAR_RADIUS_ARCSEC:
            return float(x), float(y)


def draw_magnitude(limits: tuple[float, float], rng: np.random.Generator) -> float:
    """Faint ones are common: counts grow tenfold in 2.5 magnitudes."""
    brightest, faintest = limits
    rank = rng.uniform(10 ** (0.4 * brightest), 10 ** (0.4 * faintest))
    return 2.5 * float(np.log10(rank))


def draw_star(
    r_magnitudes: tuple[float, float], rng: np.random.Generator
) -> tuple[NDArray[np.float32], float]:
    """Fluxes of a star, and its r magnitude (AB).

    Stars lie on a line in colour space that bends at the M dwarfs.
    """
    g_minus_r = rng.uniform(0.25, 1.4)
    r_minus_i = 0.4 * g_minus_r + 0.9 * max(g_minus_r - 1.2, 0)
    r_magnitude = draw_magnitude(r_magnitudes, rng)
    return fluxes_in_bands(r_magnitude, g_minus_r, r_minus_i), r_magnitude


def _star(rng: np.random.Generator) -> Light:
    point = galsim.DeltaFunction().shift(*_place(rng))
    fluxes, _ = draw_star(STAR_R_MAGNITUDES, rng)
    return Light(transform_profile(point), fluxes)


def _neighbour(rng: np.random.Generator) -> Light:
    """A small, faint disc galaxy, reddened by its distance more or less."""
    profile = (
        galsim.Exponential(
            half_light_radius=rng.uniform(0.5, 1.5), gsparams=LOW_ACCURACY
        )
        .shear(q=rng.uniform(0.3, 1.0), beta=rng.uniform(0, np.pi) * galsim.radians)
        .shift(*_place(rng))
    )
    fluxes = fluxes_in_bands(
        r_magnitude=draw_magnitude(NEIGHBOUR_R_MAGNITUDES, rng),
        g_minus_r=rng.uniform(0.3, 1.3),
        r_minus_i=rng.uniform(0.15, 0.55),
    )
    return Light(transform_profile(profile), fluxes)
