"""JPEG, PNG, TIFF and WebP of every kind become the same upright RGB square."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_files import (
    RULE,
    encoded,
    failure,
    galaxy,
    noise_picture,
)
from numpy.typing import NDArray
from PIL import Image

from galaxy_models.images.decode import DecodeRule, decode_image
from galaxy_models.simulation import CLASSES

MAX_MEAN_DISTANCE = 1.5  # grey levels, an image's mean; promised by decode_image
MAX_DISTANCE = 50  # grey levels, any pixel
TURNS = {  # EXIF orientation: how the stored pixels become upright
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).swapaxes(0, 1),
    8: lambda stored: np.rot90(stored, 1),
}


def smooth_picture(width: int = 96, height: int = 96) -> NDArray[np.uint8]:
    """A picture without noise, so that JPEG keeps it well."""
    y, x = np.mgrid[0:height, 0:width]
    channels = (x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height))
    return np.stack(channels, axis=-1).astype(np.uint8)


def flat(colour: Any, mode: str) -> Image.Image:
    return Image.new(mode, (40, 40), colour)


def ycck_jpeg(colour: tuple[int, int, int]) -> bytes:
    """A JPEG in Adobe's inverted YCCK, which Pillow reads and cannot write."""
    inverted = flat(tuple(255 - level for level in colour), "RGB").convert("YCbCr")
    stored = [*inverted.tobytes()[:3], 255]
    data = bytearray(
        encoded(flat(tuple(255 - level for level in stored), "CMYK"), "JPEG")
    )
    data[data.index(b"Adobe") + 11] = 2  # the transform: 0 CMYK, 2 YCCK
    return bytes(data)


def pillow_full(data: bytes, rule: DecodeRule) -> NDArray[np.int_]:
    """What Pillow makes of an image at full quality."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    side = min(image.size) * rule.crop_fraction
    left, top = (image.width - side) / 2, (image.height - side) / 2
    square = image.resize(
        (rule.image_size, rule.image_size),
        Image.Resampling.BILINEAR,
        box=(left, top, left + side, top + side),
    )
    return np.asarray(square, int)


def assert_close_to_pillow(files: Iterable[bytes], rule: DecodeRule) -> None:
    for data in files:
        distance = np.abs(decode_image(data, rule) - pillow_full(data, rule))
        assert distance.mean() <= MAX_MEAN_DISTANCE
        assert distance.max() <= MAX_DISTANCE


def test_a_png_comes_out_as_pillow_resizes_it() -> None:
    picture = Image.fromarray(smooth_picture())

    square = decode_image(encoded(picture, "PNG"), RULE)

    assert square.dtype == np.uint8
    assert square.shape == (32, 32, 3)
    expected = picture.resize((32, 32), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(square, np.asarray(expected))


def test_a_jpeg_comes_out_close_to_what_went_in() -> None:
    picture = Image.fromarray(smooth_picture())

    square = decode_image(encoded(picture, "JPEG", quality=95), RULE)

    expected = np.asarray(picture.resize((32, 32), Image.Resampling.BILINEAR), int)
    assert np.abs(square - expected).max() <= 6


@pytest.mark.parametrize(
    ("image", "file_format", "expected"),
    [
        (flat(90, "L"), "PNG", (90, 90, 90)),
        (flat((90, 0), "LA"), "PNG", (90, 90, 90)),
        (flat(1, "1"), "PNG", (255, 255, 255)),
        (flat((10, 200, 30), "RGB").quantize(4), "PNG", (10, 200, 30)),
        (flat((10, 200, 30, 255), "RGBA"), "PNG", (10, 200, 30)),
        (flat((10, 200, 30), "RGB").convert("CMYK"), "JPEG", (10, 200, 30)),
        (flat((10, 200, 30), "RGB"), "TIFF", (10, 200, 30)),
        (flat(90, "L"), "TIFF", (90, 90, 90)),
        (flat((10, 200, 30), "RGB"), "WEBP", (10, 200, 30)),
        (flat((10, 200, 30, 255), "RGBA"), "WEBP", (10, 200, 30)),
        (flat(90, "L"), "JPEG", (90, 90, 90)),
    ],
    ids=[
        "grey",
        "grey+alpha",
        "1-bit",
        "palette",
        "RGBA",
        "CMYK",
        "TIFF",
        "grey TIFF",
        "WebP",
        "WebP+alpha",
        "grey JPEG",
    ],
)
def test_other_kinds_of_pixels_become_rgb(
    image: Image.Image, file_format: str, expected: tuple[int, int, int]
) -> None:
    square = decode_image(encoded(image, file_format), RULE)

    colours = square.reshape(-1, 3).astype(int)
    assert np.abs(colours - np.asarray(expected)).max() <= 4


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_a_sixteen_bit_frame_keeps_its_greys(file_format: str) -> None:
    frame = np.repeat(np.array([[0, 32768, 65535]], np.uint16), 3, axis=0)

    square = decode_image(encoded(Image.fromarray(frame), file_format), DecodeRule(3))

    np.testing.assert_array_equal(square[1], [[0] * 3, [128] * 3, [255] * 3])


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits"])
def test_a_compressed_tiff_comes_out_as_it_went_in(compression: str) -> None:
    picture = noise_picture(32)
    data = encoded(Image.fromarray(picture), "TIFF", compression=compression)

    np.testing.assert_array_equal(decode_image(data, RULE), picture)


def test_a_lossless_webp_comes_out_as_it_went_in() -> None:
    picture = noise_picture(32)
    data = encoded(Image.fromarray(picture), "WEBP", lossless=True)

    np.testing.assert_array_equal(decode_image(data, RULE), picture)


@pytest.mark.parametrize("file_format", ["BMP", "GIF", "PPM", "ICO", "TGA", "PCX"])
def test_a_format_that_was_not_promised_is_not_an_image(file_format: str) -> None:
    data = encoded(flat((10, 200, 30), "RGB"), file_format)

    assert failure(data).reason == "not_an_image"


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_pixels_without_a_known_white_level_are_refused(dtype: type) -> None:
    frame: NDArray[Any] = np.linspace(0, 1000, 64).reshape(8, 8).astype(dtype)

    assert failure(encoded(Image.fromarray(frame), "TIFF")).reason == "unreadable"


def test_a_photograph_on_its_side_is_turned_upright() -> None:
    stored = smooth_picture(64, 64)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn clockwise to see it
    data = encoded(Image.fromarray(stored), "JPEG", quality=95, exif=exif)

    square = decode_image(data, DecodeRule(64))

    upright = np.rot90(stored, k=-1).astype(int)
    assert np.abs(square - upright).max() <= 12


@pytest.mark.parametrize("orientation", TURNS)
def test_every_exif_orientation_is_turned_upright(orientation: int) -> None:
    stored = smooth_picture(64, 64)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(stored), "JPEG", quality=95, exif=exif)

    square = decode_image(data, DecodeRule(64))

    assert np.abs(square - TURNS[orientation](stored).astype(int)).max() <= 12


def test_an_orientation_in_xmp_counts_too() -> None:
    stored = smooth_picture(64, 64)
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="3"/></x:xmpmeta>'
    data = encoded(Image.fromarray(stored), "JPEG", quality=95, xmp=xmp)

    square = decode_image(data, DecodeRule(64))

    assert np.abs(square - TURNS[3](stored).astype(int)).max() <= 12


def test_adobe_ycck_becomes_rgb() -> None:
    square = decode_image(ycck_jpeg((10, 200, 30)), RULE)

    assert np.abs(square.astype(int) - (10, 200, 30)).max() <= 3


def test_a_jpeg_that_stores_rgb_becomes_rgb() -> None:
    data = encoded(flat((10, 200, 30), "RGB"), "JPEG", keep_rgb=True)

    assert np.abs(decode_image(data, RULE).astype(int) - (10, 200, 30)).max() <= 3


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpegs_of_every_plain_kind_are_close_to_pillow(
    mode: str, options: dict[str, Any]
) -> None:
    data = encoded(galaxy().convert(mode), "JPEG", quality=90, **options)

    assert_close_to_pillow([data], DecodeRule(160))


@pytest.mark.parametrize("crop_fraction", [1.0, 0.875, 0.6])
@pytest.mark.parametrize("image_size", [224, 160, 128, 64])
@pytest.mark.parametrize("side", [200, 423, 424])
def test_made_up_galaxies_are_close_to_pillow(
    side: int, image_size: int, crop_fraction: float
) -> None:
    files = (encoded(galaxy(label, side), "JPEG", quality=90) for label in CLASSES)

    assert_close_to_pillow(files, DecodeRule(image_size, crop_fraction))


@pytest.mark.real_data
@pytest.mark.parametrize("image_size", [224, 160, 128])
@pytest.mark.parametrize("folder", ["galaxy_zoo_1", "galaxy_zoo_2", "sdss_survey"])
def test_real_galaxies_are_close_to_pillow(
    folder: str, image_size: int, galaxy_data: Path
) -> None:
    paths = sorted((galaxy_data / folder / "images").iterdir())[:100]

    files = (path.read_bytes() for path in paths)

    assert_close_to_pillow(files, DecodeRule(image_size))


@pytest.mark.parametrize("image_size", [224, 20])
def test_giants_are_close_to_pillow(image_size: int) -> None:
    giant = galaxy().resize((2048, 1500))

    assert_close_to_pillow([encoded(giant, "JPEG")], DecodeRule(image_size, 0.9))


@pytest.mark.parametrize("side", [1, 2, 3, 7, 9, 17])
@pytest.mark.parametrize("image_size", [1, 4, 9])
def test_tiny_jpegs_are_decoded(side: int, image_size: int) -> None:
    data = encoded(Image.new("RGB", (side, side), (90, 90, 90)), "JPEG")

    square = decode_image(data, DecodeRule(image_size, 0.7))

    assert square.shape == (image_size, image_size, 3)
    assert np.abs(square.astype(int) - 90).max() <= 2


def test_a_plain_jpeg_does_not_need_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(galaxy(), "JPEG")
    monkeypatch.delattr(Image, "open")

    assert decode_image(data, RULE).any()


def test_shrinking_a_jpeg_averages_and_does_not_pick_pixels() -> None:
    checkers = (np.indices((96, 96)).sum(axis=0) % 2 * 255).astype(np.uint8)
    data = encoded(Image.fromarray(checkers), "JPEG", quality=95)

    for image_size in (16, 40, 60):
        square = decode_image(data, DecodeRule(image_size)).astype(int)
        assert np.abs(square - 127).max() < 70
        assert np.abs(square.mean() - 127) < 3


@pytest.mark.parametrize("image_size", [90, 60, 50, 40, 30])
def test_a_jpeg_of_noise_keeps_the_contrast_that_pillow_leaves(image_size: int) -> None:
    grey = Image.fromarray(noise_picture(100)[:, :, 0])
    data = encoded(grey, "JPEG", quality=95)
    rule = DecodeRule(image_size)

    contrast = decode_image(data, rule).std() / pillow_full(data, rule).std()

    assert 0.85 < contrast < 1.15


def test_a_jpeg_with_something_behind_its_end_is_decoded() -> None:
    data = encoded(galaxy(), "JPEG")

    square = decode_image(data + bytes(1000), RULE)

    np.testing.assert_array_equal(square, decode_image(data, RULE))


def test_a_jpeg_with_stray_bytes_before_a_marker_is_decoded() -> None:
    data = encoded(galaxy(), "JPEG")
    stray = data[:-2] + b"\1\2\3" + data[-2:]

    assert_close_to_pillow([stray], RULE)
