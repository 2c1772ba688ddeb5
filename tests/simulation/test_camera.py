"""Light in, photograph out."""

import galsim
import numpy as np
import pytest

from galaxy_models.simulation.camera import (
    FRAME_PX,
    GRID_PX,
    SKY_NOISE,
    Light,
    bands_to_rgb,
    expose,
    fluxes_in_bands,
    transform_grid,
    transform_profile,
)


def test_a_magnitude_of_22_5_is_one_nanomaggy() -> None:
    assert fluxes_in_bands(22.5, 0, 0) == pytest.approx([1, 1, 1])


def test_a_redder_colour_means_less_light_in_g_and_more_in_i() -> None:
    g, r, i = fluxes_in_bands(20, 0.8, 0.4)

    assert g < r < i


def test_a_star_keeps_its_flux_and_its_place() -> None:
    star = Light(
        transform_profile(galsim.DeltaFunction().shift(3.96, -1.98)),
        np.array([1e4, 2e4, 3e4], dtype=np.float32),
    )

    frame = expose([star], 1.2, np.random.default_rng(0))

    assert frame.sum(axis=(1, 2)) == pytest.approx([1e4, 2e4, 3e4], rel=0.03)
    brightest = np.unravel_index(frame[1].argmax(), frame[1].shape)
    assert brightest == (FRAME_PX // 2 - 5, FRAME_PX // 2 + 10)


def test_a_painted_picture_lies_where_a_profile_does() -> None:
    picture = np.zeros((GRID_PX, GRID_PX), dtype=np.float32)
    picture[GRID_PX // 2 - 5, GRID_PX // 2 + 10] = 7

    painted = transform_grid(picture)

    point = transform_profile(galsim.DeltaFunction().shift(3.96, -1.98))
    inside = np.s_[: GRID_PX // 2, : GRID_PX // 2]  # Nyquist's sign is free
    np.testing.assert_allclose(painted[inside], point[inside], atol=1e-4)


def test_empty_sky_has_the_noise_of_the_survey() -> None:
    dark = Light(
        transform_profile(galsim.DeltaFunction()), np.zeros(3, dtype=np.float32)
    )

    frame = expose([dark], 1.2, np.random.default_rng(0))

    assert frame.std(axis=(1, 2)) == pytest.approx(SKY_NOISE, rel=0.03)


def test_a_colour_is_the_same_in_faint_and_in_saturated_light() -> None:
    colour = np.array([1.0, 2.0, 3.0], dtype=np.float32)[:, None, None]
    bands = np.concatenate([colour * 1, colour * 1000], axis=2)

    faint, saturated = bands_to_rgb(bands)[0].astype(float)

    assert saturated.max() == 255
    assert saturated / saturated[0] == pytest.approx(faint / faint[0], abs=0.02)
