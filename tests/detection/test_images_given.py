"""What ``--images`` and ``--wcs`` may name."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from galaxy_models.config import DetectConfig
from galaxy_models.detection.opening import Images
from galaxy_models.detection.request import open_request
from galaxy_models.errors import CatalogError
from galaxy_models.simulation import Frames, WideSky, write_frames
from galaxy_models.simulation.frames import FORMATS
from galaxy_models.tables.formats import open_images

NOTHING = WideSky(0, 0, 0)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    folder = tmp_path_factory.mktemp("frames")
    return write_frames(folder, 2, width=96, height=64, sky=NOTHING, formats=FORMATS)


def images_of(images: Path, tmp_path: Path, **flags: Any) -> Images:
    config = DetectConfig(images=str(images), output=str(tmp_path / "out"), **flags)
    return Images(open_request(config, str(tmp_path / "staging")))


@pytest.mark.parametrize("kind", ["fits", "fits.fz", "jpg"])
def test_a_single_image_is_a_table_of_one(
    frames: Frames, kind: Any, tmp_path: Path
) -> None:
    name = f"frame-0001.{kind}"
    images = images_of(frames.images(kind) / name, tmp_path)
    assert images.request.catalog.num_rows == 1
    assert images.name(0) == name
    assert images.open(0).width == 96


def test_a_fits_table_is_a_table_and_an_image_with_tables_an_image(
    tmp_path: Path,
) -> None:
    names = fits.BinTableHDU.from_columns(
        [fits.Column("image", "8A", array=["a.fits", "b.fits"])]
    )
    fits.HDUList([fits.PrimaryHDU(), names]).writeto(tmp_path / "table.fits")
    pixels = fits.PrimaryHDU(np.zeros((70, 70), np.float32))
    fits.HDUList([pixels, names]).writeto(tmp_path / "frame.fits")
    table = open_images(str(tmp_path / "table.fits"), "--images")
    frame = open_images(str(tmp_path / "frame.fits"), "--images")
    assert table.schema.names == ["image"]
    (batch,) = frame.read_batches(["image"])
    assert batch["image"].to_pylist() == ["frame.fits"]


def write_sidecar(frames: Frames, path: Path) -> fits.Header:
    """As astrometry.net writes them: a FITS file of nothing but a header."""
    header = fits.getheader(frames.images("fits") / "frame-0000.fits")
    fits.PrimaryHDU(header=WCS(header).celestial.to_header()).writeto(path)
    return header


def test_a_sidecar_gives_a_jpeg_its_place_on_the_sky(
    frames: Frames, tmp_path: Path
) -> None:
    sidecars = tmp_path / "sidecars"
    sidecars.mkdir()
    header = write_sidecar(frames, sidecars / "frame-0000.wcs")
    (sidecars / "frame-0001.wcs").write_text("no header")
    images = images_of(frames.images("jpg"), tmp_path, wcs=str(sidecars))
    wcs = images.open(0).wcs
    assert wcs is not None
    assert wcs.pixel_to_world(0, 0).ra.deg == pytest.approx(
        WCS(header).celestial.pixel_to_world(0, 0).ra.deg, abs=1e-9
    )
    assert images.open(1).wcs is None
    assert images.request.resume_key()["--wcs"] == str(sidecars)


def test_without_a_sidecar_a_fits_image_keeps_its_own(
    frames: Frames, tmp_path: Path
) -> None:
    sidecars = tmp_path / "sidecars"
    sidecars.mkdir()
    shutil.copy(frames.truth, sidecars / "other.wcs")
    images = images_of(frames.images("fits"), tmp_path, wcs=str(sidecars))
    assert images.open(0).wcs is not None


def test_a_table_of_paths_finds_its_sidecars_by_name(
    frames: Frames, tmp_path: Path
) -> None:
    path = frames.images("jpg") / "frame-0000.jpg"
    pd.DataFrame({"image": [str(path)]}).to_csv(tmp_path / "a.csv", index=False)
    write_sidecar(frames, tmp_path / "frame-0000.wcs")
    images = images_of(tmp_path / "a.csv", tmp_path, wcs=str(tmp_path))
    assert images.open(0).wcs is not None


def test_a_folder_without_sidecars_is_refused(frames: Frames, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(CatalogError, match=r"--wcs .* is no folder with files"):
            images_of(frames.images("jpg"), tmp_path, wcs=str(folder))
