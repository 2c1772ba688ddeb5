"""Degraded views: blurred, noisy, of other colours, compressed; from a seed."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig
from galaxy_models.training.degradation import (
    Degradations,
    degrade,
    random_degradations,
)

SIZE = 64
NUM_IMAGES = 400


def draw(seed: int = 0, **flags: Any) -> Degradations | None:
    config = TrainConfig(catalog="c", output="o", image_size=SIZE, **flags)
    return random_degradations(np.random.default_rng(seed), NUM_IMAGES, config)


def drawn(seed: int = 0, **flags: Any) -> Degradations:
    found = draw(seed, **flags)
    assert found is not None
    return found


def grey(level: int = 100, num_images: int = NUM_IMAGES) -> NDArray[np.uint8]:
    return np.full((num_images, SIZE, SIZE, 3), level, np.uint8)


def stars() -> NDArray[np.uint8]:
    """Images of one bright pixel on black."""
    images = grey(0)
    images[:, SIZE // 2, SIZE // 2] = 255
    return images


def test_without_amounts_nothing_is_drawn() -> None:
    assert draw(degraded_fraction=1.0) is None


def test_the_same_seed_gives_the_same_pixels() -> None:
    flags = {"noise_levels": 8.0, "colour_fraction": 0.2, "jpeg_quality": 50}
    once, again, other = (degrade(grey(), drawn(seed, **flags)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)


@pytest.mark.parametrize(
    "flag",
    [
        {"blur_fraction": 0.05},
        {"noise_levels": 20.0},
        {"colour_fraction": 0.3},
        {"jpeg_quality": 5},
    ],
)
def test_only_the_degraded_fraction_of_the_views_is_changed(
    flag: dict[str, Any],
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    images = np.broadcast_to(images, (NUM_IMAGES, SIZE, SIZE, 3))
    views = degrade(images, drawn(degraded_fraction=0.25, **flag))
    share = np.mean((views != images).any(axis=(1, 2, 3)))
    assert 0.15 < share <= 0.32


def test_a_blur_spreads_a_star_as_widely_as_drawn_and_keeps_its_light() -> None:
    amounts = drawn(degraded_fraction=1.0, blur_fraction=0.05)
    assert 0.9 * 0.05 * SIZE < amounts.blur_px.max() <= 0.05 * SIZE
    widest = int(amounts.blur_px.argmax())
    wide = amounts.of([widest])
    image = grey(0, 1)
    image[:, SIZE // 2 - 4 : SIZE // 2 + 4, SIZE // 2 - 4 : SIZE // 2 + 4] = 200
    (view,) = degrade(image, wide)
    assert view.sum() == pytest.approx(image.sum(), rel=0.03)
    row = view[SIZE // 2, :, 0].astype(float)
    columns = np.arange(SIZE)
    centre = (row * columns).sum() / row.sum()
    variance = (row * (columns - centre) ** 2).sum() / row.sum()
    square = (8**2 - 1) / 12
    assert variance == pytest.approx(wide.blur_px[0] ** 2 + square, rel=0.1)


def test_noise_has_the_drawn_standard_deviation_and_no_bias() -> None:
    amounts = drawn(degraded_fraction=1.0, noise_levels=12.0)
    views = degrade(grey(), amounts).astype(float)
    assert 11 < amounts.noise_levels.max() <= 12
    found = views.std(axis=(1, 2, 3))
    np.testing.assert_allclose(found, amounts.noise_levels, atol=0.5)
    assert abs(views.mean() - 100) < 0.1


def test_every_image_has_noise_of_its_own() -> None:
    amounts = drawn(degraded_fraction=1.0, noise_levels=12.0)
    views = degrade(grey(), amounts)[amounts.noise_levels > 1]
    assert len(np.unique(views.reshape(len(views), -1), axis=0)) == len(views)


def test_each_band_is_scaled_by_itself_and_white_stays_white() -> None:
    amounts = drawn(degraded_fraction=1.0, colour_fraction=0.2)
    views = degrade(grey(), amounts)
    np.testing.assert_allclose(views[:, 0, 0], 100 * amounts.gains, atol=0.51)
    assert 0.8 <= amounts.gains.min() < 0.82
    assert 1.18 < amounts.gains.max() <= 1.2001
    assert degrade(grey(255), amounts).max() == 255  # clipped, not wrapped


def test_compression_leaves_blocks_and_keeps_colours_in_their_bands() -> None:
    amounts = drawn(degraded_fraction=1.0, jpeg_quality=10)
    assert amounts.jpeg_qualities.min() >= 10
    assert amounts.jpeg_qualities.max() <= 100
    red = grey(0)
    red[..., 0] = 200
    views = degrade(red, amounts).astype(int)
    assert (views[..., 0] > 150).all()
    assert (views[..., 1:] < 60).all()
    worst = amounts.of([int(amounts.jpeg_qualities.argmin())])
    assert not np.array_equal(degrade(stars()[:1], worst), stars()[:1])
