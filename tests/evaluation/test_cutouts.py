"""Pages show galaxies as people can see them."""

import base64
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from image_files import encoded, fits_file, galaxy

from galaxy_models.config import EvaluateConfig
from galaxy_models.evaluation.cutouts import CutoutSource, open_cutouts, read_cutouts


def catalog_of(folder: Path, *images: str) -> CutoutSource:
    """A catalog of images, whose ids count from 0."""
    rows = "".join(f"{number},{image}\n" for number, image in enumerate(images))
    (folder / "catalog.csv").write_text("object_id,image\n" + rows)
    uri = f"{folder}/catalog.csv"
    source = open_cutouts(EvaluateConfig(predictions="", output="", catalog=uri))
    assert source is not None
    return source


def test_galaxies_without_a_readable_image_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "one.jpg").write_bytes(encoded(galaxy(), "JPEG"))
    source = catalog_of(tmp_path, "one.jpg", "none.jpg")

    assert list(read_cutouts(source, ["0"])) == ["0"]
    assert not caplog.records
    assert list(read_cutouts(source, ["0", "1", "2"])) == ["0"]
    assert "2 of the 3 galaxies to show have no image" in caplog.text
    assert "missing: no file" in caplog.text


def test_fits_of_any_unit_and_bands_is_shown(tmp_path: Path) -> None:
    y, x = np.mgrid[0:64, 0:64] - 31.5
    counts = 1e5 * np.exp(-np.hypot(x, y) / 4)
    five_bands = np.stack([counts] * 5).astype(np.float32)
    (tmp_path / "five.fits").write_bytes(fits_file(five_bands))

    (cutout,) = read_cutouts(catalog_of(tmp_path, "five.fits"), ["0"]).values()

    jpeg = base64.b64decode(cutout.removeprefix("data:image/jpeg;base64,"))
    picture = simplejpeg.decode_jpeg(jpeg)
    assert 120 < np.percentile(picture, 99) < 200 and np.median(picture) < 60
