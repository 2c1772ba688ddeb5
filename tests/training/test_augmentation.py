"""Random views: drawn from a seed, about the centre, within their bounds."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig
from galaxy_models.training.augmentation import augment_images, random_transforms

SIZE = 32
CENTRE = (SIZE - 1) / 2
NOTHING: dict[str, Any] = {
    "rotation_deg": 0.0,
    "shift_fraction": 0.0,
    "zoom_fraction": 0.0,
    "horizontal_flip": False,
    "vertical_flip": False,
}


def draw(num_images: int = 200, seed: int = 0, **settings: Any) -> NDArray[np.float32]:
    config = TrainConfig(
        catalog="galaxies.csv",
        output="model",
        image_size=SIZE,
        **settings,
    )
    return random_transforms(np.random.default_rng(seed), num_images, config)


def linear_part(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    return maps[:, [0, 1, 3, 4]].reshape(-1, 2, 2)


def source_of_centre(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """The input pixel that each map brings to the centre, (x, y)."""
    offsets = maps[:, [2, 5]]
    return linear_part(maps) @ np.array([CENTRE, CENTRE], np.float32) + offsets


def noise(num_images: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(
        0, 256, (num_images, SIZE, SIZE, 3), dtype=np.uint8
    )


def view(images: NDArray[np.uint8], maps: NDArray[np.float32]) -> NDArray[np.uint8]:
    with ThreadPoolExecutor(2) as pool:
        return augment_images(images, maps, None, SIZE, pool)


def test_amounts_of_zero_are_the_identity() -> None:
    maps = draw(5, **NOTHING)

    assert maps.dtype == np.float32
    np.testing.assert_array_equal(maps, [[1, 0, 0, 0, 1, 0]] * 5)


def test_the_same_seed_gives_the_same_maps() -> None:
    np.testing.assert_array_equal(draw(seed=3), draw(seed=3))
    assert not np.array_equal(draw(seed=3), draw(seed=4))


def test_every_image_gets_its_own_map() -> None:
    assert len(np.unique(draw(200), axis=0)) == 200


def test_rotation_zoom_and_flips_leave_the_centre_where_it_is() -> None:
    maps = draw(shift_fraction=0.0)

    np.testing.assert_allclose(source_of_centre(maps), CENTRE, atol=1e-4)


def test_rotation_alone_keeps_lengths_and_orientation() -> None:
    maps = linear_part(draw(**NOTHING | {"rotation_deg": 180.0}))

    np.testing.assert_allclose(
        maps @ maps.transpose(0, 2, 1), np.eye(2)[None].repeat(200, axis=0), atol=1e-6
    )
    np.testing.assert_allclose(np.linalg.det(maps), 1, atol=1e-6)


@pytest.mark.parametrize("largest_deg", [10.0, 90.0, 180.0])
def test_rotations_fill_their_range_both_ways(largest_deg: float) -> None:
    maps = draw(1000, **NOTHING | {"rotation_deg": largest_deg})

    angles = np.degrees(np.arctan2(maps[:, 3], maps[:, 0]))
    assert np.abs(angles).max() <= largest_deg + 1e-3
    assert angles.max() > 0.95 * largest_deg
    assert angles.min() < -0.95 * largest_deg


def test_views_that_are_not_moved_are_the_image_or_its_mirror_image() -> None:
    maps = draw(1000, moved_fraction=0.25, margin_fraction=0.25, crop_fraction=0.5)

    stays = (np.abs(linear_part(maps)) == np.eye(2)).all(axis=(1, 2))
    assert 0.7 < stays.mean() < 0.8
    images = np.random.default_rng(1).integers(0, 256, (1, 40, 40, 3), np.uint8)
    centre = images[0, 4:36, 4:36]
    mirrored = {centre[::y, ::x].tobytes() for x in (1, -1) for y in (1, -1)}
    seen = {view(images, maps[[k]])[0].tobytes() for k in np.flatnonzero(stays)}
    assert seen == mirrored


def test_shifts_stay_within_their_share_of_the_side() -> None:
    maps = draw(1000, **NOTHING | {"shift_fraction": 0.1})

    shifts = source_of_centre(maps) - CENTRE
    assert np.abs(shifts).max() <= 0.1 * SIZE + 1e-4
    assert (shifts.max(axis=0) > 0.09 * SIZE).all()
    assert (shifts.min(axis=0) < -0.09 * SIZE).all()


def test_zoom_is_the_same_along_both_axes_and_stays_in_its_range() -> None:
    maps = linear_part(draw(1000, **NOTHING | {"zoom_fraction": 0.2}))

    np.testing.assert_array_equal(maps[:, 0, 0], maps[:, 1, 1])
    assert 0.8 <= maps[:, 0, 0].min() < 0.82
    assert 1.18 < maps[:, 0, 0].max() <= 1.2 + 1e-6


@pytest.mark.parametrize(
    ("flips", "expected"),
    [
        ({"horizontal_flip": True}, {(1, 1), (-1, 1)}),
        ({"vertical_flip": True}, {(1, 1), (1, -1)}),
        (
            {"horizontal_flip": True, "vertical_flip": True},
            {(1, 1), (-1, 1), (1, -1), (-1, -1)},
        ),
    ],
)
def test_flips_mirror_only_the_axes_that_were_asked_for(
    flips: dict[str, bool], expected: set[tuple[int, int]]
) -> None:
    maps = draw(**NOTHING | flips)

    signs = {(int(x), int(y)) for x, y in maps[:, [0, 4]]}
    assert signs == expected


def test_turning_flips_off_changes_no_other_draw() -> None:
    with_flips = draw(**NOTHING | {"shift_fraction": 0.1, "horizontal_flip": True})
    without = draw(**NOTHING | {"shift_fraction": 0.1})

    np.testing.assert_allclose(
        source_of_centre(with_flips), source_of_centre(without), atol=1e-4
    )


def test_the_identity_changes_no_pixel() -> None:
    images = noise(3)

    views = view(images, draw(3, **NOTHING))

    assert views.dtype == np.uint8
    np.testing.assert_array_equal(views, images)


def test_flips_alone_give_exact_mirror_images() -> None:
    images = noise(16)
    flips = NOTHING | {"horizontal_flip": True, "vertical_flip": True}
    maps = draw(16, **flips)

    views = view(images, maps)

    for image, found, (x, y) in zip(images, views, maps[:, [0, 4]], strict=True):
        np.testing.assert_array_equal(found, image[:: int(y), :: int(x)])


def test_a_shift_moves_the_galaxy_and_leaves_black_sky_behind() -> None:
    images = np.full((1, SIZE, SIZE, 3), 200, np.uint8)
    to_the_left = np.array([[1, 0, 4, 0, 1, 0]], np.float32)

    (shifted,) = view(images, to_the_left)

    assert (shifted[:, : SIZE - 4] == 200).all()
    assert not shifted[:, SIZE - 4 :].any()
