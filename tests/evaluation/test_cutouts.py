"""Pages show galaxies as people can see them."""

import base64
from pathlib import Path

import numpy as np
import simplejpeg
from image_files import fits_file

from galaxy_models.config import EvaluateConfig
from galaxy_models.evaluation.cutouts import open_cutouts, read_cutouts


def test_fits_of_any_unit_and_bands_is_shown(tmp_path: Path) -> None:
    y, x = np.mgrid[0:64, 0:64] - 31.5
    counts = 1e5 * np.exp(-np.hypot(x, y) / 4)
    five_bands = np.stack([counts] * 5).astype(np.float32)
    (tmp_path / "five.fits").write_bytes(fits_file(five_bands))
    (tmp_path / "catalog.csv").write_text("object_id,image\na1,five.fits\n")
    config = EvaluateConfig(
        predictions="", output="", labels=None, catalog=f"{tmp_path}/catalog.csv"
    )
    source = open_cutouts(config)
    assert source is not None

    (cutout,) = read_cutouts(source, ["a1"]).values()

    jpeg = base64.b64decode(cutout.removeprefix("data:image/jpeg;base64,"))
    picture = simplejpeg.decode_jpeg(jpeg)
    assert 120 < np.percentile(picture, 99) < 200 and np.median(picture) < 60
