"""What the made-up galaxies look like, measured."""

import numpy as np
import pytest
from numpy.typing import NDArray

from galaxy_models.errors import ConfigError
from galaxy_models.simulation import CLASSES, draw_galaxy
from galaxy_models.simulation.spiral_disc import disc_plane, spiral_arms

NUM_DRAWN = 30  # of a class, for a measured mean


def draw_many(label: str) -> NDArray[np.float64]:
    return np.stack(
        [
            draw_galaxy(label, 96, np.random.default_rng(seed)).astype(np.float64)
            for seed in range(NUM_DRAWN)
        ]
    )


def axis_ratio(image: NDArray[np.float64]) -> float:
    """Minor over major axis of the bright light near the middle."""
    brightness = image.mean(axis=2)[24:72, 24:72]
    light = np.where(brightness > 40, brightness, 0)
    y, x = np.mgrid[:48, :48]
    moments = np.cov(np.stack([x.ravel(), y.ravel()]), aweights=light.ravel())
    minor, major = np.linalg.eigvalsh(moments)
    return float(np.sqrt(minor / major))


def blueness(images: NDArray[np.float64]) -> float:
    centre = images[:, 24:72, 24:72]
    return float(centre[..., 2].sum() / centre[..., 0].sum())


def winding(seed: int) -> int:
    """Sign of the strongest logarithmic spiral in a face-on disc's arms."""
    radius, azimuth = disc_plane((0.0, 0.0), 0.0, 1.0)
    arms = spiral_arms(radius, azimuth, 2.0, np.random.default_rng(seed))
    inside = (radius > 4) & (radius < 20)
    log_radius = np.log(radius[inside])

    def strength(turn: float, num_arms: int) -> float:
        spiral = np.exp(1j * num_arms * (azimuth[inside] - turn * log_radius))
        return float(abs((arms[inside] / radius[inside] ** 2 * spiral).sum()))

    turns = 1 / np.tan(np.radians(np.arange(14, 27)))
    left, right = (
        max(strength(sign * turn, m) for turn in turns for m in (2, 3, 4))
        for sign in (-1, 1)
    )
    return 1 if right > left else -1


@pytest.mark.parametrize("label", CLASSES)
@pytest.mark.parametrize("image_size", [32, 64, 96, 160])
def test_a_galaxy_is_uint8_rgb_of_the_size_asked_for(
    label: str, image_size: int
) -> None:
    image = draw_galaxy(label, image_size, np.random.default_rng(0))

    assert image.shape == (image_size, image_size, 3)
    assert image.dtype == np.uint8


@pytest.mark.parametrize("label", CLASSES)
def test_the_same_generator_state_gives_the_same_pixels(label: str) -> None:
    first, again, other = (
        draw_galaxy(label, 64, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("label", CLASSES)
def test_the_sky_is_dark_and_the_galaxy_bright(label: str) -> None:
    images = draw_many(label)

    assert np.median(images[:, :8]) < 15
    assert images[:, 44:52, 44:52].mean() > 70


def test_shapes_stretch_from_round_to_edge_on() -> None:
    ratios = {
        label: float(np.mean([axis_ratio(image) for image in draw_many(label)]))
        for label in ("round", "in_between", "cigar", "edge_on")
    }

    assert ratios["round"] > 0.8
    assert ratios["round"] > ratios["in_between"] + 0.1
    assert ratios["in_between"] > ratios["cigar"] + 0.1
    assert ratios["cigar"] > ratios["edge_on"]


def test_spirals_are_bluer_than_round_galaxies() -> None:
    assert blueness(draw_many("spiral")) > 1.15 * blueness(draw_many("round"))


def test_spirals_wind_either_way() -> None:
    assert {winding(seed) for seed in range(12)} == {-1, 1}


def test_an_unknown_label_is_refused_with_the_choices() -> None:
    with pytest.raises(ConfigError, match="'comet'; choose one of round, in_between"):
        draw_galaxy("comet", 96, np.random.default_rng(0))


def test_an_image_too_small_is_refused() -> None:
    with pytest.raises(ConfigError, match="image_size is 31 px; choose at least 32"):
        draw_galaxy("round", 31, np.random.default_rng(0))
