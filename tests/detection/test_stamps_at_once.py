"""Stamps cut together are those cut one by one."""

import numpy as np
import pytest
from wide_frames import fits_image

from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.detection import stamps
from galaxy_models.detection.stamps import CUTOUT_PER_R90, cut_stamps
from galaxy_models.images.wide import Picture, open_wide_image
from galaxy_models.images.wide_image import WideImage

RULE = DecodeRule(32, crop_fraction=0.5)
HEIGHT, WIDTH, NUM_SOURCES = 120, 150, 12


def fits_with_a_gap() -> WideImage:
    light = np.random.default_rng(0).gamma(0.3, size=(3, HEIGHT, WIDTH))
    light[1, 40:60, 30:50] = np.nan
    return open_wide_image(fits_image(light.astype(np.float32)), "/", RULE)


def picture() -> WideImage:
    pixels = np.random.default_rng(0).integers(256, size=(HEIGHT, WIDTH, 3))
    return Picture(pixels.astype(np.uint8))


@pytest.mark.parametrize("image", [fits_with_a_gap(), picture()], ids=["fits", "jpeg"])
def test_a_stamp_is_the_same_alone_and_among_others(
    image: WideImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    places = rng.uniform(0, [WIDTH - 1, HEIGHT - 1], (NUM_SOURCES, 2))  # some cut off
    r90 = rng.uniform(5, 60, NUM_SOURCES) / (RULE.crop_fraction * CUTOUT_PER_R90)
    planes = image.read(slice(0, HEIGHT), slice(0, WIDTH))

    alone = [
        cut_stamps(image, planes, places[i : i + 1], r90[i : i + 1], RULE)[0]
        for i in range(NUM_SOURCES)
    ]
    monkeypatch.setattr(stamps, "PIXELS_AT_ONCE", 1000)  # between a stamp's sizes
    together = cut_stamps(image, planes, places, r90, RULE)

    assert np.ptp(together, axis=(1, 2)).all()  # none is of one colour
    np.testing.assert_array_equal(together, alone)
