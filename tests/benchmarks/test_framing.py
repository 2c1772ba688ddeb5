"""A galaxy framed by its own size."""

import framing
import numpy as np
import pytest
from PIL import Image


def galaxy_of(sigma_px: float, side: int = 200) -> framing.Pixels:
    """A round Gaussian on a dark sky, with a brighter one in the corner."""
    y, x = np.mgrid[:side, :side] - side / 2
    light = 200 * np.exp(-(x**2 + y**2) / (2 * sigma_px**2)) + 10
    light[:20, :20] = 250
    return np.repeat(light[..., None].astype(np.uint8), 3, axis=2)


def test_the_central_galaxys_radius_is_measured_whatever_stands_beside_it() -> None:
    # 90 % of a Gaussian's light is within 2.15 standard deviations
    small, large = (framing.central_r90(galaxy_of(sigma)) for sigma in (8, 16))
    assert small == pytest.approx(2.15 * 8, rel=0.1)
    assert large == pytest.approx(2.15 * 16, rel=0.1)


def test_a_framed_galaxy_has_the_same_size_at_any_scale() -> None:
    image = galaxy_of(16)
    half = np.asarray(Image.fromarray(image).resize((100, 100)))
    frames = framing.framed(image, 4.0), framing.framed(half, 4.0)
    assert frames[0].shape[0] == pytest.approx(2 * frames[1].shape[0], rel=0.1)
    assert frames[0].shape[0] == pytest.approx(4 * 2.15 * 16, rel=0.1)


def test_a_picture_without_a_source_stays_as_it_is() -> None:
    black = np.zeros((32, 32, 3), np.uint8)
    assert framing.framed(black, 4.0) is black
    flat = np.full((32, 32, 3), 60, np.uint8)
    assert framing.framed(flat, 4.0).shape == flat.shape
