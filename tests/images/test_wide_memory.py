"""Whatever is read of a large image, little of it stays in memory."""

import re
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.images.wide_fits import open_fits

SIDE_PX = 3072  # 38 MB
STRIP_PX = 256


def mapped_mb() -> float:
    """Pages of files that this process holds."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"RssFile:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1e3


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_a_mapped_image_that_is_read_by_strips_does_not_stay(tmp_path: Path) -> None:
    path = tmp_path / "image.fits"
    values = np.arange(SIDE_PX**2, dtype=np.float32).reshape(SIDE_PX, SIDE_PX)
    fits.writeto(path, values)
    image = open_fits(path, path.stat().st_size, DecodeRule(image_size=64))
    before = mapped_mb()

    for top in range(0, SIDE_PX, STRIP_PX):
        strip = image.read(slice(top, top + STRIP_PX), slice(0, SIDE_PX))
        assert np.array_equal(strip[0], values[top : top + STRIP_PX])

    assert mapped_mb() - before < SIDE_PX**2 * 4 / 1e6 / 2
    image.close()
