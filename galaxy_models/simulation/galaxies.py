"""Draws made-up galaxies of the five Galaxy Zoo 2 classes.

A galaxy is a few sources of light (bulge, disc, arms, dust), each with its own
colour, before a camera; stars and small galaxies stand around it. Brightness,
size and colour follow SDSS's main sample loosely. The classes differ in shape as
the volunteers saw it; they are no model of how galaxies form, and numbers
measured here say nothing about the real sky.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import galsim
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from galaxy_models.errors import ConfigError
from galaxy_models.simulation.camera import (
    FRAME_PX,
    LOW_ACCURACY,
    Light,
    bands_to_rgb,
    expose,
    fluxes_in_bands,
    transform_grid,
    transform_profile,
)
from galaxy_models.simulation.spiral_disc import disc_plane, spiral_arms, with_knots
from galaxy_models.simulation.surroundings import draw_surroundings

MIN_IMAGE_SIZE = 32  # px; below it spiral arms cannot be told from noise

SEEING_ARCSEC = (1.1, 1.2, 1.3, 1.4, 1.5)  # SDSS's usual nights
R_MAGNITUDES = (14.6, 16.9)  # the main sample ends at 17.8, Galaxy Zoo 2 at 17
OLD_STARS = (0.80, 0.40)  # g - r and r - i of an elliptical galaxy
YOUNG_STARS = (0.28, 0.10)  # of a disc that forms stars
DISC_STARS = (0.48, 0.22)  # of the older stars between the arms
COLOUR_SCATTER_MAG = 0.05


@dataclass(frozen=True)
class Pose:
    """Where a galaxy is, how it lies, and how large and bright it is.

    Args:
        centre_arcsec: offset (x, y) from the frame's centre; y grows downward.
        position_angle: of the major axis, radians from the x axis.
        half_light_radius: arcsec, of the whole galaxy were it round.
        r_magnitude: AB, of the whole galaxy.
    """

    centre_arcsec: tuple[float, float]
    position_angle: float
    half_light_radius: float
    r_magnitude: float


@dataclass(frozen=True)
class Smooth:
    """Ranges from which a galaxy without features is drawn.

    Args:
        axis_ratios: minor over major axis, low and high.
        sersic_indices: choices; few, because GalSim builds a table for each.
        relative_radius: half-light radius over the pose's.
        blue_fraction: chance of a disc's colour in place of an elliptical's.
    """

    axis_ratios: tuple[float, float]
    sersic_indices: tuple[float, ...]
    relative_radius: float
    blue_fraction: float


ROUND = Smooth((0.9, 1.0), (2.0, 3.0, 4.0), 1.0, 0.2)
IN_BETWEEN = Smooth((0.46, 0.65), (2.0, 3.0, 4.0), 1.0, 0.25)
CIGAR = Smooth((0.25, 0.34), (1.0, 1.5), 0.75, 0.4)


def draw_galaxy(
    label: str, image_size: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Colour cutout of one made-up galaxy.

    The frame always spans 38 arcsec. It is taken with SDSS's pixels and then
    resampled, as SDSS's own cutout server does.

    Args:
        label: one of ``CLASSES``.
        image_size: height and width in pixels, at least 32.
        rng: every random choice comes from it.

    Returns:
        uint8, shape (image_size, image_size, 3), RGB.

    Raises:
        ConfigError: the label is unknown or the image too small.
    """
    check_image_size(image_size)
    if label not in RECIPES:
        raise ConfigError(f"label is {label!r}; choose one of {', '.join(CLASSES)}.")
    lights = RECIPES[label](_draw_pose(rng), rng) + draw_surroundings(rng)
    seeing_arcsec = float(rng.choice(SEEING_ARCSEC))
    rgb = bands_to_rgb(expose(lights, seeing_arcsec, rng))
    if image_size == FRAME_PX:
        return rgb
    resized = Image.fromarray(rgb).resize(
        (image_size, image_size), Image.Resampling.BICUBIC
    )
    return np.asarray(resized, dtype=np.uint8)


def check_image_size(image_size: int) -> None:
    """Refuses images too small to show a galaxy.

    Raises:
        ConfigError: image_size is below ``MIN_IMAGE_SIZE``.
    """
    if image_size < MIN_IMAGE_SIZE:
        raise ConfigError(
            f"image_size is {image_size} px; choose at least {MIN_IMAGE_SIZE}."
        )


def _draw_pose(rng: np.random.Generator) -> Pose:
    r_magnitude = rng.uniform(*R_MAGNITUDES)
    centre_arcsec = (rng.normal(0, 0.5), rng.normal(0, 0.5))
    return draw_pose(r_magnitude, centre_arcsec, rng)


def draw_pose(
    r_magnitude: float, centre_arcsec: tuple[float, float], rng: np.random.Generator
) -> Pose:
    """Brighter galaxies are larger, as in a survey limited by brightness."""
    typical_radius = 2.8 * 10 ** (-0.11 * (r_magnitude - 16))
    return Pose(
        centre_arcsec=centre_arcsec,
        position_angle=rng.uniform(0, np.pi),
        half_light_radius=typical_radius * rng.lognormal(0, 0.15),
        r_magnitude=r_magnitude,
    )


def _stars(
    pose: Pose,
    fraction: float,
    colours: tuple[float, float],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Fluxes of stars that give a fraction of the galaxy's r-band light."""
    redder = rng.normal(0, COLOUR_SCATTER_MAG)
    return fluxes_in_bands(
        pose.r_magnitude - 2.5 * math.log10(fraction),
        colours[0] + redder,
        colours[1] + redder / 2,
    )


def _place(profile: galsim.GSObject, pose: Pose) -> NDArray[np.complex64]:
    """Transform of a profile turned and moved as the pose says."""
    turned = profile.rotate(pose.position_angle * galsim.radians)
    return transform_profile(turned.shift(*pose.centre_arcsec))


def _smooth(ranges: Smooth, pose: Pose, rng: np.random.Generator) -> list[Light]:
    """One elliptical Sersic profile."""
    profile = galsim.Sersic(
        n=float(rng.choice(ranges.sersic_indices)),
        half_light_radius=ranges.relative_radius * pose.half_light_radius,
        gsparams=LOW_ACCURACY,
    ).shear(q=rng.uniform(*ranges.axis_ratios), beta=0 * galsim.degrees)
    blue = rng.random() < ranges.blue_fraction
    colours = DISC_STARS if blue else OLD_STARS
    return [Light(_place(profile, pose), _stars(pose, 1, colours, rng))]


def _bulge(
    pose: Pose, fraction: float, relative_radius: float, rng: np.random.Generator
) -> Light:
    """A nearly round ball of old stars with a fraction of the galaxy's light."""
    profile = galsim.Sersic(
        n=float(rng.choice((2.0, 3.0))),
        half_light_radius=relative_radius * pose.half_light_radius,
        gsparams=LOW_ACCURACY,
    ).shear(q=rng.uniform(0.75, 0.95), beta=0 * galsim.degrees)
    return Light(_place(profile, pose), _stars(pose, fraction, OLD_STARS, rng))


def _edge_on(pose: Pose, rng: np.random.Generator) -> list[Light]:
    """A thin disc seen from its side, with a bulge and often a lane of dust."""
    inclination = rng.uniform(86, 90) * galsim.degrees
    radius = 1.2 * pose.half_light_radius
    thickness = rng.uniform(0.05, 0.09)
    bulge_fraction = rng.uniform(0.08, 0.25)
    disc = galsim.InclinedExponential(
        inclination,
        half_light_radius=radius,
        scale_h_over_r=thickness,
        gsparams=LOW_ACCURACY,
    )
    colours = OLD_STARS if rng.random() < 0.5 else DISC_STARS
    stars = _stars(pose, 1 - bulge_fraction, colours, rng)
    lights = [
        Light(_place(disc, pose), stars),
        _bulge(pose, bulge_fraction, 0.28, rng),
    ]
    if rng.random() < 0.6:
        lights.append(_dust_lane(pose, radius, stars, rng))
    return lights


def _dust_lane(
    pose: Pose, radius: float, stars: NDArray[np.float32], rng: np.random.Generator
) -> Light:
    """Light taken away along the middle of a disc, most of it blue."""
    lane = galsim.InclinedExponential(
        90 * galsim.degrees,
        half_light_radius=0.8 * radius,
        scale_h_over_r=0.03,
        gsparams=LOW_ACCURACY,
    )
    depths = rng.uniform(0.12, 0.22) * np.array([1.3, 1.0, 0.7], dtype=np.float32)
    return Light(_place(lane, pose), -depths * stars)


def _spiral(pose: Pose, rng: np.random.Generator) -> list[Light]:
    """An old disc and bulge, and blue arms with knots in the disc's plane."""
    radius, azimuth = disc_plane(
        pose.centre_arcsec, pose.position_angle, axis_ratio=rng.uniform(0.5, 1.0)
    )
    # An exponential disc's half-light radius is 1.68 scale lengths; spirals are
    # drawn larger than smooth galaxies of their brightness, as they are.
    scale_length = 1.4 * pose.half_light_radius / 1.68
    disc = np.exp(-radius / scale_length)
    arms = spiral_arms(radius, azimuth, 0.9 * scale_length, rng)
    young = with_knots(np.exp(-radius / (1.3 * scale_length)) * arms, rng)
    old = disc * (0.4 + arms)
    bulge_fraction = rng.uniform(0.06, 0.2)
    young_fraction = rng.uniform(0.4, 0.6)
    old_fraction = 1 - bulge_fraction - young_fraction
    return [
        Light(transform_grid(old), _stars(pose, old_fraction, DISC_STARS, rng)),
        Light(transform_grid(young), _stars(pose, young_fraction, YOUNG_STARS, rng)),
        _bulge(pose, bulge_fraction, 0.3, rng),
    ]


RECIPES: dict[str, Callable[[Pose, np.random.Generator], list[Light]]] = {
    "round": partial(_smooth, ROUND),
    "in_between": partial(_smooth, IN_BETWEEN),
    "cigar": partial(_smooth, CIGAR),
    "edge_on": _edge_on,
    "spiral": _spiral,
}
CLASSES = tuple(RECIPES)
