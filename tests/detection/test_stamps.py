"""What the network sees: the source in the middle, upright, as large as in training."""

import numpy as np
import pytest
from wide_frames import fits_image

from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.detection.stamps import CUTOUT_PER_R90, cut_stamps
from galaxy_models.images.wide import open_wide_image
from galaxy_models.images.wide_image import WideImage

RULE = DecodeRule(64, crop_fraction=0.5)
PLACE = 40.3, 30.7
R90 = 32 / (0.5 * CUTOUT_PER_R90)  # a stamp of 32 px, shown twice as large


def image_with(*spots: tuple[float, float]) -> WideImage:
    rows, columns = np.mgrid[:80, :90]
    light = sum(
        np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 2**2) for x, y in spots
    )
    return open_wide_image(fits_image(np.asarray(light, np.float32)), "/", RULE)


def stamp_of(image: WideImage, place: tuple[float, float]) -> np.ndarray:
    planes = image.read(slice(0, 80), slice(0, 90))
    (stamp,) = cut_stamps(image, planes, np.array([place]), np.array([R90]), RULE)
    return np.asarray(stamp.mean(axis=2))


def middle(stamp: np.ndarray) -> tuple[float, float]:
    rows, columns = np.mgrid[: stamp.shape[0], : stamp.shape[1]]
    weights = stamp / stamp.sum()
    return float((weights * columns).sum()), float((weights * rows).sum())


def test_the_source_is_in_the_middle_of_its_stamp() -> None:
    stamp = stamp_of(image_with(PLACE), PLACE)
    assert stamp.shape == (64, 64)
    assert middle(stamp) == pytest.approx((31.5, 31.5), abs=0.15)


def test_a_later_row_of_a_fits_image_is_higher_up() -> None:
    image = image_with((PLACE[0], PLACE[1] + 10))
    assert middle(stamp_of(image, PLACE)) == pytest.approx((31.5, 11.5), abs=0.2)


def test_outside_the_image_it_is_dark() -> None:
    stamp = stamp_of(image_with((1.0, 1.0)), (1.0, 1.0))
    assert middle(stamp)[0] > 31.5  # the light's left half is cut off
    assert stamp[:, :28].max() == 0
    assert stamp[38:].max() == 0
