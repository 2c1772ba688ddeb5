"""A wide field of a made-up sky: galaxies, stars, blends, and the truth about them.

A source is drawn on its own stamp, and added to the frame at its place. Positions are
in array order: pixel centres at whole numbers, y is the row. This module does not know
files.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import galsim
import numpy as np
from numpy.typing import NDArray

from galaxy_models.errors import ConfigError
from galaxy_models.simulation.artefacts import (
    SATURATION,
    add_bright_star,
    add_trail,
    overflow,
)
from galaxy_models.simulation.camera import (
    BANDS,
    GRID_PX,
    PIXEL_SCALE_ARCSEC,
    Light,
    blurred,
    transform_profile,
    with_noise,
)
from galaxy_models.simulation.galaxies import (
    CLASSES,
    RECIPES,
    SEEING_ARCSEC,
    draw_pose,
)
from galaxy_models.simulation.surroundings import draw_magnitude, draw_star

GALAXY_R_MAGNITUDES = (15.5, 22.5)
STAR_R_MAGNITUDES = (15.0, 22.5)
BRIGHT_STAR_R_MAGNITUDES = (10.0, 13.5)  # their wells overflow
TRAIL_BRIGHTNESS = (0.2, 2.0)  # nanomaggies a pixel; the sky's noise is 0.03
BLEND_DISTANCE_PX = (5.0, 15.0)
MIN_SIDE_PX = 64
TAPER_PX = 10  # at a stamp's edge, so that no light ends in a line

Kind = Literal["galaxy", "star", "trail"]


@dataclass(frozen=True)
class WideSky:
    """How much there is in a frame."""

    num_galaxies: int = 30
    num_stars: int = 30
    num_bright_stars: int = 1
    """Saturated stars, with spikes."""

    num_trails: int = 0
    """Satellites' trails."""

    blend_fraction: float = 0.1
    """Share of galaxies and stars that stand close to another one: crowding."""

    galaxy_r_magnitudes: tuple[float, float] = GALAXY_R_MAGNITUDES
    """Brightest and faintest (AB)."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigError: naming the value that makes no sense.
        """
        counts = (
            self.num_galaxies, self.num_stars, self.num_bright_stars, self.num_trails,
        )  # fmt: skip
        if min(counts) < 0:
            raise ConfigError(f"counts of sources must be 0 or more, not {self}.")
        if not 0 <= self.blend_fraction <= 1:
            raise ConfigError(f"blend_fraction must lie from 0 to 1, not {self}.")
        if not self.galaxy_r_magnitudes[0] < self.galaxy_r_magnitudes[1]:
            raise ConfigError(f"galaxy_r_magnitudes must go up, not {self}.")


@dataclass(frozen=True)
class TrueSource:
    """What was drawn, and where."""

    kind: Kind
    label: str | None
    """One of ``CLASSES`` for a galaxy."""

    x: float
    y: float
    """Centre (px), of a trail some point on it."""

    r_magnitude: float
    """AB; NaN of a trail."""

    half_light_radius_px: float
    r90_px: float
    """Radii that hold 50 % and 90 % of the r band's light in the frame's seeing; NaN
    of a trail, and of a star with spikes."""

    is_saturated: bool = False
    """Whether its middle is a full well."""


def draw_frame(
    width: int, height: int, sky: WideSky, rng: np.random.Generator
) -> tuple[NDArray[np.float32], list[TrueSource]]:
    """Draw a frame, and list what is in it.

    Args:
        width: px, at least 64.
        height: px, at least 64.
        sky: how much there is.
        rng: every random choice comes from it.

    Returns:
        float32, shape (bands, height, width), sky-subtracted nanomaggies a pixel, bands
        as in ``camera.BANDS``; and the sources.

    Raises:
        ConfigError: the frame is too small.
    """
    if min(width, height) < MIN_SIDE_PX:
        raise ConfigError(f"{width}×{height} px: choose at least {MIN_SIDE_PX}.")
    frame = np.zeros((len(BANDS), height, width), np.float32)
    seeing_arcsec = float(rng.choice(SEEING_ARCSEC))
    places = _draw_places(width, height, sky, rng)
    draws: list[Callable[..., TrueSource]] = [
        *[_add_galaxy] * sky.num_galaxies,
        *[_add_star] * sky.num_stars,
        *[_add_bright_star] * sky.num_bright_stars,
        *[_add_trail] * sky.num_trails,
    ]
    truth = [
        draw(frame, place, seeing_arcsec, sky, rng)
        for draw, place in zip(draws, places, strict=True)
    ]
    overflow(frame)
    return with_noise(frame, rng), truth


def _draw_places(
    width: int, height: int, sky: WideSky, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Places (x, y), uniform but for blends, which stand close to an earlier one."""
    num_sources = sky.num_galaxies + sky.num_stars
    num_others = sky.num_bright_stars + sky.num_trails
    places: list[tuple[float, float]] = []
    for index in range(num_sources + num_others):
        x, y = rng.uniform(0, width - 1), rng.uniform(0, height - 1)
        if places and index < num_sources and rng.random() < sky.blend_fraction:
            x, y = _beside(places[rng.integers(len(places))], rng)
            x = float(np.clip(x, 0, width - 1))
            y = float(np.clip(y, 0, height - 1))
        places.append((x, y))
    return places


def _beside(
    place: tuple[float, float], rng: np.random.Generator
) -> tuple[float, float]:
    distance, angle = rng.uniform(*BLEND_DISTANCE_PX), rng.uniform(0, 2 * math.pi)
    return place[0] + distance * math.cos(angle), place[1] + distance * math.sin(angle)


def _add_galaxy(
    frame: NDArray[np.float32],
    place: tuple[float, float],
    seeing_arcsec: float,
    sky: WideSky,
    rng: np.random.Generator,
) -> TrueSource:
    label = str(rng.choice(CLASSES))
    r_magnitude = draw_magnitude(sky.galaxy_r_magnitudes, rng)
    lights = RECIPES[label](draw_pose(r_magnitude, _offset_arcsec(place), rng), rng)
    radii = _add_stamp(frame, place, lights, seeing_arcsec)
    return TrueSource("galaxy", label, *place, r_magnitude, *radii)


def _add_star(
    frame: NDArray[np.float32],
    place: tuple[float, float],
    seeing_arcsec: float,
    _sky: WideSky,
    rng: np.random.Generator,
) -> TrueSource:
    point = galsim.DeltaFunction().shift(*_offset_arcsec(place))
    fluxes, r_magnitude = draw_star(STAR_R_MAGNITUDES, rng)
    light = Light(transform_profile(point), fluxes)
    radii = _add_stamp(frame, place, [light], seeing_arcsec)
    return TrueSource("star", None, *place, r_magnitude, *radii)


def _add_bright_star(
    frame: NDArray[np.float32],
    place: tuple[float, float],
    seeing_arcsec: float,
    _sky: WideSky,
    rng: np.random.Generator,
) -> TrueSource:
    fluxes, r_magnitude = draw_star(BRIGHT_STAR_R_MAGNITUDES, rng)
    add_bright_star(frame, place, fluxes, seeing_arcsec / PIXEL_SCALE_ARCSEC)
    row, column = round(place[1]), round(place[0])
    is_saturated = bool(frame[:, row, column].max() > SATURATION)
    return TrueSource(
        "star", None, *place, r_magnitude, math.nan, math.nan, is_saturated
    )


def _add_trail(
    frame: NDArray[np.float32],
    place: tuple[float, float],
    _seeing_arcsec: float,
    _sky: WideSky,
    rng: np.random.Generator,
) -> TrueSource:
    add_trail(frame, place, rng.uniform(0, math.pi), rng.uniform(*TRAIL_BRIGHTNESS))
    return TrueSource("trail", None, *place, math.nan, math.nan, math.nan)


def _offset_arcsec(place: tuple[float, float]) -> tuple[float, float]:
    """From the centre of the pixel that holds a place to it."""
    x, y = ((value - round(value)) * PIXEL_SCALE_ARCSEC for value in place)
    return x, y


def _add_stamp(
    frame: NDArray[np.float32],
    place: tuple[float, float],
    lights: Sequence[Light],
    seeing_arcsec: float,
) -> tuple[float, float]:
    """Add a source's light where it lies in the frame.

    Returns:
        Radii (px) that hold 50 % and 90 % of its r band's light.
    """
    stamp = blurred(lights, seeing_arcsec) * _taper()
    half = GRID_PX // 2
    left, bottom = round(place[0]) - half, round(place[1]) - half
    height, width = frame.shape[1:]
    rows = slice(max(0, bottom), min(height, bottom + GRID_PX))
    columns = slice(max(0, left), min(width, left + GRID_PX))
    frame[:, rows, columns] += stamp[
        :,
        rows.start - bottom : rows.stop - bottom,
        columns.start - left : columns.stop - left,
    ]
    return _light_radii(stamp[BANDS.index("r")], place)


def _radius_px(x: float, y: float) -> NDArray[np.float64]:
    """Distance of each of a stamp's pixels from a point off its centre."""
    axis = np.arange(GRID_PX) - GRID_PX // 2
    distance: NDArray[np.float64] = np.hypot(axis[None, :] - x, axis[:, None] - y)
    return distance


@cache
def _taper() -> NDArray[np.float32]:
    """1 inside, falling to 0 towards the edge of the circle in a stamp."""
    outside = (_radius_px(0, 0) - (GRID_PX // 2 - TAPER_PX)) / TAPER_PX
    weights: NDArray[np.float32] = (
        (1 + np.cos(np.pi * outside.clip(0, 1))) / 2
    ).astype(np.float32)
    return weights


def _light_radii(
    stamp: NDArray[np.float32], place: tuple[float, float]
) -> tuple[float, float]:
    x, y = (value - round(value) for value in place)
    radius = _radius_px(x, y).ravel()
    order = np.argsort(radius, kind="stable")
    light = np.cumsum(stamp.ravel()[order], dtype=np.float64)
    half, most = np.searchsorted(light, (0.5 * light[-1], 0.9 * light[-1]))
    return float(radius[order[half]]), float(radius[order[most]])
