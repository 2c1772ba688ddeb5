"""Regions of wide images, as the file's array has them."""

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.errors import ImageDecodeError
from galaxy_models.images import wide
from galaxy_models.images.wide import open_wide_image, wide_image_shape
from galaxy_models.images.wide_image import WideImage

RULE = DecodeRule(32)
REGION = slice(3, 17), slice(5, 40)
CUBE = np.arange(3 * 50 * 60, dtype=np.float32).reshape(3, 50, 60)


def fits_bytes(*hdus: Any) -> bytes:
    buffer = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(buffer)
    return buffer.getvalue()


def opened(data: bytes, tmp_path: Path, name: str = "a.fits") -> WideImage:
    (tmp_path / name).write_bytes(data)
    return open_wide_image(name, str(tmp_path), RULE)


def with_wcs(**cards: Any) -> Any:
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRVAL1"], header["CRVAL2"] = 10.0, 20.0
    header["CRPIX1"], header["CRPIX2"] = 30.0, 25.0
    header["CDELT1"], header["CDELT2"] = -1e-4, 1e-4
    header.update(cards)
    return fits.PrimaryHDU(CUBE[0], header)


@pytest.mark.parametrize("as_bytes", [True, False], ids=["bytes", "file"])
def test_a_cube_is_read_by_regions_with_the_last_band_as_red(
    tmp_path: Path, as_bytes: bool
) -> None:
    data = fits_bytes(fits.PrimaryHDU(CUBE))
    if as_bytes:
        image = open_wide_image(data, str(tmp_path), RULE)
    else:
        image = opened(data, tmp_path)
    assert (image.height, image.width, image.is_linear) == (50, 60, True)
    np.testing.assert_array_equal(image.read(*REGION), CUBE[(2, 1, 0), 3:17, 5:40])


def test_compressed_tiles_are_read_as_far_as_they_are_needed(tmp_path: Path) -> None:
    packed = fits.CompImageHDU(CUBE[0], compression_type="GZIP_1", tile_shape=(5, 60))
    image = opened(fits_bytes(fits.PrimaryHDU(), packed), tmp_path, "a.fits.fz")
    np.testing.assert_array_equal(image.read(*REGION)[0], CUBE[0, 3:17, 5:40])


def test_integers_are_scaled_and_blanks_become_nan(tmp_path: Path) -> None:
    hdu = fits.PrimaryHDU(CUBE[0].astype(np.int16))
    hdu.header["BSCALE"], hdu.header["BZERO"], hdu.header["BLANK"] = 0.5, 100, 185
    image = opened(fits_bytes(hdu), tmp_path)
    expected = 100 + 0.5 * CUBE[0, 3:17, 5:40]
    expected[0, 0] = np.nan
    np.testing.assert_array_equal(image.read(*REGION)[0], expected)


def test_infinite_fluxes_count_as_unknown(tmp_path: Path) -> None:
    pixels = CUBE[0].copy()
    pixels[4, 6] = np.inf
    image = opened(fits_bytes(fits.PrimaryHDU(pixels)), tmp_path)
    assert np.argwhere(np.isnan(image.read(*REGION)[0])).tolist() == [[1, 1]]


def test_a_gzipped_file_is_unpacked(tmp_path: Path) -> None:
    data = gzip.compress(fits_bytes(fits.PrimaryHDU(CUBE)))
    image = opened(data, tmp_path, "a.fits.gz")
    np.testing.assert_array_equal(image.read(*REGION), CUBE[::-1, 3:17, 5:40])


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGB"), ("TIFF", "L")])
def test_a_picture_keeps_its_values_and_its_rows(
    tmp_path: Path, kind: str, mode: str
) -> None:
    shape = (50, 60, 3) if mode == "RGB" else (50, 60)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    image = opened(buffer.getvalue(), tmp_path, f"a.{kind.lower()}")
    colours = np.broadcast_to(pixels.reshape(50, 60, -1), (50, 60, 3))
    planes = image.read(*REGION)
    np.testing.assert_array_equal(planes, colours.transpose(2, 0, 1)[:, 3:17, 5:40])
    np.testing.assert_array_equal(image.to_rgb(planes), colours[3:17, 5:40])
    assert image.saturation == 255
    assert image.wcs is None


def jpeg(**options: Any) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 60, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def test_a_jpeg_is_whole_and_not_turned(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    image = opened(jpeg(exif=exif), tmp_path, "a.jpg")
    assert (image.height, image.width) == (50, 60)


def test_a_fits_image_is_turned_up_for_the_network(tmp_path: Path) -> None:
    pixels = np.zeros((50, 60), np.float32)
    pixels[:10] = 5
    image = opened(fits_bytes(fits.PrimaryHDU(pixels)), tmp_path)
    rgb = image.to_rgb(image.read(slice(0, 50), slice(0, 60)))
    assert rgb[-10:].min() > 100
    assert rgb[:-10].max() == 0
    assert image.is_upside_down


def test_the_wcs_is_the_headers(tmp_path: Path) -> None:
    image = opened(fits_bytes(with_wcs(SATURATE=1000.0)), tmp_path)
    assert image.wcs is not None
    ra, dec = image.wcs.all_pix2world(29, 24, 0)
    assert (ra, dec) == pytest.approx((10, 20), abs=1e-9)
    assert image.saturation == 1000


@pytest.mark.parametrize(
    "cards",
    [
        {"CTYPE1": "", "CTYPE2": ""},
        {"CD1_1": 1e-4, "CD1_2": 1e-4, "CD2_1": 1e-4, "CD2_2": 1e-4},
        {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CRPIX1": -9e9},
        {"CTYPE1": "RA---NEW"},
    ],
    ids=["none", "does not invert", "leads nowhere", "unheard of"],
)
def test_a_wcs_that_cannot_be_used_is_none(
    tmp_path: Path, cards: dict[str, Any]
) -> None:
    assert opened(fits_bytes(with_wcs(**cards)), tmp_path).wcs is None


def test_a_missing_band_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.fits").write_bytes(fits_bytes(fits.PrimaryHDU(CUBE)))
    rule = DecodeRule(32, fits_bands=("z",))
    with pytest.raises(ImageDecodeError, match="unreadable: FITS without a band z"):
        open_wide_image("a.fits", str(tmp_path), rule)


def test_a_cut_off_file_is_truncated(tmp_path: Path) -> None:
    data = fits_bytes(fits.PrimaryHDU(CUBE))
    with pytest.raises(ImageDecodeError, match="^truncated"):
        opened(data[: len(data) // 2], tmp_path)
    with pytest.raises(ImageDecodeError, match="^truncated"):
        opened(data[:100], tmp_path)
    with pytest.raises(ImageDecodeError, match="^truncated"):
        opened(jpeg()[:-500], tmp_path, "a.jpg")


def test_a_damaged_tile_harms_its_own_region_only(tmp_path: Path) -> None:
    packed = fits.CompImageHDU(CUBE[0], compression_type="GZIP_1", tile_shape=(5, 60))
    data = bytearray(fits_bytes(fits.PrimaryHDU(), packed))
    start = data.index(b"\x1f\x8b", data.index(b"\x1f\x8b") + 2)  # the second tile's
    data[start + 12 : start + 40] = bytes(28)
    image = opened(bytes(data), tmp_path, "a.fits.fz")
    assert np.isfinite(image.read(slice(20, 30), slice(0, 60))).all()
    with pytest.raises(ImageDecodeError, match="^unreadable: FITS"):
        image.read(slice(0, 10), slice(0, 60))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (None, "missing"),
        ("none.fits", "missing"),
        ("../up.fits", "refused"),
        ("folder", "unreadable"),
        (b"", "not_an_image"),
        (b"\x1f\x8b and no more", "unreadable"),
        (gzip.compress(b"a table", mtime=0), "not_an_image"),
        (fits_bytes(fits.PrimaryHDU()), "not_an_image"),
    ],
)
def test_what_is_no_image_says_why(tmp_path: Path, source: Any, reason: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ImageDecodeError) as error:
        open_wide_image(source, str(tmp_path), RULE)
    assert error.value.reason == reason


def test_pictures_beyond_the_limit_are_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wide, "MAX_PICTURE_PIXELS", 2999)
    with pytest.raises(ImageDecodeError, match="too_large: 60×50 px, over 2999"):
        opened(jpeg(), tmp_path, "a.jpg")


@pytest.mark.parametrize("name", ["a.fits", "a.jpg", "a.fits.gz"])
def test_the_shape_is_known_before_any_pixel_is_read(tmp_path: Path, name: str) -> None:
    data = jpeg() if name == "a.jpg" else fits_bytes(fits.PrimaryHDU(CUBE))
    data = gzip.compress(data) if name.endswith(".gz") else data
    (tmp_path / name).write_bytes(data)
    assert wide_image_shape(name, str(tmp_path), RULE) == (50, 60)
    assert wide_image_shape(data, str(tmp_path), RULE) == (50, 60)


def test_a_file_without_a_shape_says_why(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"<html>")
    with pytest.raises(ImageDecodeError, match="not_an_image: 6 bytes .*<html>"):
        wide_image_shape("a.jpg", str(tmp_path), RULE)
    with pytest.raises(ImageDecodeError, match="^missing"):
        wide_image_shape("b.jpg", str(tmp_path), RULE)
