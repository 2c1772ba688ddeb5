"""A square is sampled where OpenCV samples it with tables that it makes itself."""

import cv2
import numpy as np
import pytest

from galaxy_models.images.resize import resize_square


@pytest.mark.parametrize("size", [47, 64, 224])
@pytest.mark.parametrize(
    "square", [(3.3, 5.75, 41.2), (0.0, 0.5, 17.0), (-1.2, 20.1, 46.0)]
)
def test_sampled_pixels_are_those_of_opencvs_own_tables(
    size: int, square: tuple[float, float, float]
) -> None:
    left, top, side = square
    pixels = np.random.default_rng(size).integers(256, size=(60, 70, 3), dtype=np.uint8)
    centres = (np.arange(size) + 0.5) * side / size - 0.5
    x, y = np.meshgrid(np.float32(left + centres), np.float32(top + centres))
    tables = cv2.convertMaps(x, y, cv2.CV_16SC2)
    expected = cv2.remap(
        pixels, *tables, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    box = left, top, left + side, top + side
    np.testing.assert_array_equal(resize_square(pixels, box, size, 0), expected)
