"""Real galaxies, shrunk and added to a real picture, where they are then known.

Everything else in the picture stays unknown: what is found there and was not added may
be real. A galaxy's place is that of its cutout's middle, from which Galaxy Zoo 2's
centres are some 2 of 424 px away. This module knows pictures and cutouts; it knows no
files.

Source:
    Willett et al. 2013, MNRAS 435, 2835, section 2: cutouts of 8.48 × the Petrosian
    radius that holds 90 % of the light.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from galaxy_models.simulation.wide_sky import TrueSource

CUTOUT_PER_R90 = 8.48
SKY_RADII = (2.2, 2.7)  # in R90: where the galaxy has ended, and the cutout not yet
MIN_GAP = 2.0  # between two that are added, in the sum of their R90
MAX_TRIES = 1000  # to find a free place
WHITE = 255


@dataclass(frozen=True)
class Cutout:
    """A galaxy to add."""

    pixels: NDArray[np.uint8]
    """Shape (side, side, 3), the galaxy in the middle; 8.48 × its R90 wide."""

    label: str
    r90_px: float
    """As large as it is added."""

    blur_px: float = 0.0
    """Standard deviation of a Gaussian that it is blurred with first (px)."""


def inject(
    picture: NDArray[np.uint8], cutouts: Sequence[Cutout], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], list[TrueSource]]:
    """Add galaxies to a picture, at places of their own.

    Args:
        picture: uint8, shape (height, width, 3).
        cutouts: the galaxies; one that finds no free place is left out.
        rng: chooses the places.

    Returns:
        The picture with them, and what was added; positions count from its first row.
    """
    light = picture.astype(np.float32)
    added: list[TrueSource] = []
    for cutout in cutouts:
        place = _free_place(picture.shape[:2], cutout.r90_px, added, rng)
        if place is not None:
            galaxy = shrunk(cutout)
            _add(light, galaxy, place)
            added.append(_true_source(cutout, galaxy, place))
    return np.clip(light.round(), 0, WHITE).astype(np.uint8), added


def shrunk(cutout: Cutout) -> NDArray[np.float32]:
    """Take a galaxy's light out of its cutout, at the size at which it is added.

    Returns:
        float32, shape (side, side, 3), side odd: grey levels above the cutout's sky, 0
        towards the edge.
    """
    side = 2 * math.ceil(CUTOUT_PER_R90 * cutout.r90_px / 2) + 1
    image = Image.fromarray(cutout.pixels)
    image = image.resize((side, side), Image.Resampling.LANCZOS)
    if cutout.blur_px:
        image = image.filter(ImageFilter.GaussianBlur(cutout.blur_px))
    pixels = np.asarray(image, np.float32)
    axis = np.arange(side, dtype=np.float32) - side // 2
    radius = np.hypot(axis[:, None], axis) * (CUTOUT_PER_R90 / side)
    inner, outer = SKY_RADII
    sky = np.median(pixels[(radius > inner) & (radius < outer)], axis=0)
    fading = np.clip((radius - inner) / (outer - inner), 0, 1)
    weights = (1 + np.cos(np.pi * fading)) / 2
    light: NDArray[np.float32] = ((pixels - sky) * weights[..., None]).astype(
        np.float32
    )
    return light


def _free_place(
    shape: tuple[int, ...],
    r90_px: float,
    added: Sequence[TrueSource],
    rng: np.random.Generator,
) -> tuple[int, int] | None:
    """A place (x, y) away from the edges and from galaxies that were added already."""
    height, width = shape
    margin = math.ceil(SKY_RADII[1] * r90_px)
    if min(height, width) <= 2 * margin:
        return None
    for _ in range(MAX_TRIES):
        x = int(rng.integers(margin, width - margin))
        y = int(rng.integers(margin, height - margin))
        if all(
            math.hypot(x - other.x, y - other.y) > MIN_GAP * (r90_px + other.r90_px)
            for other in added
        ):
            return x, y
    return None


def _add(
    picture: NDArray[np.float32], light: NDArray[np.float32], place: tuple[int, int]
) -> None:
    """Add a galaxy's light, as far as the picture reaches."""
    half = light.shape[0] // 2
    height, width = picture.shape[:2]
    left, top = place[0] - half, place[1] - half
    rows = slice(max(0, top), min(height, top + light.shape[0]))
    columns = slice(max(0, left), min(width, left + light.shape[1]))
    picture[rows, columns] += light[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]


def _true_source(
    cutout: Cutout, light: NDArray[np.float32], place: tuple[int, int]
) -> TrueSource:
    """What the truth says of it; its magnitude nobody knows."""
    x, y = map(float, place)
    half = _half_light_radius(light.sum(axis=2))
    return TrueSource("galaxy", cutout.label, x, y, math.nan, half, cutout.r90_px)


def _half_light_radius(light: NDArray[np.float32]) -> float:
    """Radius (px) around the middle that holds half of the light, as it is shown."""
    axis = np.arange(len(light)) - len(light) // 2
    radius = np.hypot(axis[:, None], axis).ravel()
    order = np.argsort(radius, kind="stable")
    grown = np.cumsum(light.ravel()[order], dtype=np.float64)
    return float(radius[order[np.searchsorted(grown, grown[-1] / 2)]])
