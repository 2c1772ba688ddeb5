"""The views of a galaxy are exact, and their average is a plain mean."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from galaxy_models.config import TtaName
from galaxy_models.scoring.augmentation import average_views, symmetric_views

GALAXIES = np.random.default_rng(4).integers(0, 256, (3, 5, 5, 3), np.uint8)


def views_of(images: NDArray[np.uint8], tta: TtaName) -> list[bytes]:
    return [view.tobytes() for view in symmetric_views(images, tta)]


def test_flips_are_the_image_its_mirror_images_and_its_half_turn() -> None:
    expected = [
        GALAXIES,
        GALAXIES[:, :, ::-1],
        GALAXIES[:, ::-1],
        np.rot90(GALAXIES, 2, axes=(1, 2)),
    ]

    assert views_of(GALAXIES, "flips") == [view.tobytes() for view in expected]


def test_dihedral_views_are_the_turns_of_the_image_and_of_its_mirror_image() -> None:
    sides = (GALAXIES, GALAXIES[:, :, ::-1])
    turned = [np.rot90(side, k, axes=(1, 2)) for side in sides for k in range(4)]

    found = views_of(GALAXIES, "dihedral")

    assert set(found) == {view.tobytes() for view in turned}
    assert len(found) == len(set(found)) == 8


def test_flips_are_among_the_dihedral_views() -> None:
    assert set(views_of(GALAXIES, "flips")) < set(views_of(GALAXIES, "dihedral"))


def test_without_augmentation_there_is_the_image_alone() -> None:
    assert views_of(GALAXIES, "none") == [GALAXIES.tobytes()]


@pytest.mark.parametrize("tta", ["flips", "dihedral"])
def test_a_view_of_a_view_is_a_view(tta: TtaName) -> None:
    views = list(symmetric_views(GALAXIES, tta))

    for view in views:
        assert set(views_of(view, tta)) == set(views_of(GALAXIES, tta))


def test_every_view_is_a_batch_like_the_one_that_was_given() -> None:
    for view in symmetric_views(GALAXIES, "dihedral"):
        assert view.shape == GALAXIES.shape
        assert view.dtype == np.uint8
        assert view.flags["C_CONTIGUOUS"]


def test_probabilities_are_the_mean_and_the_spread_is_that_of_the_best_class() -> None:
    views = np.array([[[0.1, 0.9]], [[0.7, 0.3]], [[0.2, 0.8]]], np.float32)

    probabilities, spread = average_views(views)

    assert probabilities[0] == pytest.approx([1 / 3, 2 / 3])
    deviations = [0.9 - 2 / 3, 0.3 - 2 / 3, 0.8 - 2 / 3]
    assert spread[0] == pytest.approx(np.sqrt(np.square(deviations).sum() / 3))
    assert probabilities.dtype == spread.dtype == np.float32


@pytest.mark.parametrize("num_views", [1, 4, 8])
def test_views_that_agree_have_no_spread_and_give_the_same_bits(num_views: int) -> None:
    one = np.random.default_rng(5).dirichlet([1] * 5, 1000).astype(np.float32)

    probabilities, spread = average_views(np.stack([one] * num_views))

    assert probabilities.tobytes() == one.tobytes()
    assert not spread.any()


def test_a_spread_lies_from_0_to_one_half() -> None:
    certain = np.eye(2, dtype=np.float32)
    worst = np.stack([certain, certain, certain[::-1], certain[::-1]])
    assert average_views(worst)[1].tolist() == [0.5, 0.5]

    for views in product([[0, 1], [1, 0], [0.5, 0.5]], repeat=4):
        spread = average_views(np.array(views, np.float32)[:, None])[1]
        assert 0 <= spread.item() <= 0.5


def test_no_galaxies_give_no_probabilities() -> None:
    probabilities, spread = average_views(np.empty((8, 0, 5), np.float32))

    assert probabilities.shape == (0, 5)
    assert spread.shape == (0,)
