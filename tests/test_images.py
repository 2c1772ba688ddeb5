"""Files of every kind become the same upright RGB square, or say why not."""

import io
import pickle
import struct
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from galaxy_models.errors import ConfigError, ImageDecodeError
from galaxy_models.images import DecodeRule, decode_image, read_images
from galaxy_models.simulation import CLASSES, draw_galaxy

RULE = DecodeRule(32)
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
HTML = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def smooth_picture(width: int = 96, height: int = 96) -> NDArray[np.uint8]:
    """A picture without noise, so that JPEG keeps it well."""
    y, x = np.mgrid[0:height, 0:width]
    channels = (x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height))
    return np.stack(channels, axis=-1).astype(np.uint8)


def noise_picture(size: int = 96) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)


def flat(colour: Any, mode: str) -> Image.Image:
    return Image.new(mode, (40, 40), colour)


def png_with_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(name + content)
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", checksum)
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")


def failure(data: bytes) -> ImageDecodeError:
    with pytest.raises(ImageDecodeError) as caught:
        decode_image(data, RULE)
    return caught.value


@cache
def galaxy(label: str = "spiral", side: int = 424) -> Image.Image:
    return Image.fromarray(draw_galaxy(label, side, np.random.default_rng(7)))


def spot(width: int, height: int) -> Image.Image:
    """A round spot in the very centre."""
    y, x = np.mgrid[0:height, 0:width]
    radius = np.hypot(x - (width - 1) / 2, y - (height - 1) / 2)
    light = 250 * np.exp(-((radius / (0.1 * min(width, height))) ** 2))
    return Image.fromarray(light.astype(np.uint8)).convert("RGB")


def ycck_jpeg(colour: tuple[int, int, int]) -> bytes:
    """A JPEG in Adobe's inverted YCCK, which Pillow reads and cannot write."""
    inverted = flat(tuple(255 - level for level in colour), "RGB").convert("YCbCr")
    stored = [*inverted.tobytes()[:3], 255]
    data = bytearray(
        encoded(flat(tuple(255 - level for level in stored), "CMYK"), "JPEG")
    )
    data[data.index(b"Adobe") + 11] = 2  # the transform: 0 CMYK, 2 YCCK
    return bytes(data)


def with_size(data: bytes, width: int, height: int) -> bytes:
    """A JPEG whose header claims another size."""
    start = data.index(b"\xff\xc0") + 5
    return data[:start] + struct.pack(">HH", height, width) + data[start + 4 :]


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


def test_rows_start_at_the_top_and_channels_are_red_green_blue() -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:8, :, 0] = 255  # a red strip at the top

    square = decode_image(encoded(Image.fromarray(pixels), "PNG"), RULE)

    np.testing.assert_array_equal(square, pixels)


def test_resizing_averages_and_does_not_pick_pixels() -> None:
    checkers = (np.indices((96, 96)).sum(axis=0) % 2 * 255).astype(np.uint8)

    square = decode_image(encoded(Image.fromarray(checkers), "PNG"), DecodeRule(16))

    assert np.abs(square.astype(int) - 127).max() < 15


@pytest.mark.parametrize(
    ("image", "file_format", "expected"),
    [
        (flat(90, "L"), "PNG", (90, 90, 90)),
        (flat((90, 0), "LA"), "PNG", (90, 90, 90)),
        (flat(1, "1"), "PNG", (255, 255, 255)),
        (flat((10, 200, 30), "RGB").quantize(4), "PNG", (10, 200, 30)),
        (flat((10, 200, 30, 255), "RGBA"), "PNG", (10, 200, 30)),
        (flat((10, 200, 30), "RGB").convert("CMYK"), "JPEG", (10, 200, 30)),
        (flat((10, 200, 30), "RGB"), "BMP", (10, 200, 30)),
        (flat(90, "L"), "JPEG", (90, 90, 90)),
    ],
    ids=["grey", "grey+alpha", "1-bit", "palette", "RGBA", "CMYK", "BMP", "grey JPEG"],
)
def test_other_kinds_of_pixels_become_rgb(
    image: Image.Image, file_format: str, expected: tuple[int, int, int]
) -> None:
    square = decode_image(encoded(image, file_format), RULE)

    colours = square.reshape(-1, 3).astype(int)
    assert np.abs(colours - np.asarray(expected)).max() <= 3


def test_a_sixteen_bit_frame_keeps_its_greys() -> None:
    frame = np.repeat(np.array([[0, 32768, 65535]], np.uint16), 3, axis=0)

    square = decode_image(encoded(Image.fromarray(frame), "PNG"), DecodeRule(3))

    np.testing.assert_array_equal(square[1], [[0] * 3, [128] * 3, [255] * 3])


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


@pytest.mark.parametrize("crop_fraction", [1.0, 0.875, 0.61])
@pytest.mark.parametrize("size", [(424, 424), (423, 423), (425, 640), (641, 424)])
def test_what_is_in_the_centre_stays_there(
    size: tuple[int, int], crop_fraction: float
) -> None:
    data = encoded(spot(*size), "JPEG", quality=95)

    light = decode_image(data, DecodeRule(128, crop_fraction))[:, :, 1].astype(float)

    y, x = np.indices(light.shape)
    assert (light * x).sum() / light.sum() == pytest.approx(63.5, abs=0.1)
    assert (light * y).sum() / light.sum() == pytest.approx(63.5, abs=0.1)


def test_threads_do_not_disturb_each_other() -> None:
    files = [encoded(galaxy(label), "JPEG") for label in CLASSES] * 8
    alone = [decode_image(data, DecodeRule(100, 0.9)) for data in files]

    with ThreadPoolExecutor(4) as threads:
        together = threads.map(
            lambda data: decode_image(data, DecodeRule(100, 0.9)), files
        )

    np.testing.assert_array_equal(list(together), alone)


def test_a_wide_image_is_cropped_in_its_centre_and_not_stretched() -> None:
    pixels = np.zeros((32, 96, 3), np.uint8)
    pixels[:, 32:64] = noise_picture(32)

    square = decode_image(encoded(Image.fromarray(pixels), "PNG"), RULE)

    np.testing.assert_array_equal(square, noise_picture(32))


def test_a_tall_image_is_cropped_in_its_centre_and_not_stretched() -> None:
    pixels = np.zeros((96, 32, 3), np.uint8)
    pixels[32:64] = noise_picture(32)

    square = decode_image(encoded(Image.fromarray(pixels), "PNG"), RULE)

    np.testing.assert_array_equal(square, noise_picture(32))


def test_half_the_crop_fraction_keeps_half_the_shorter_side() -> None:
    pixels = np.zeros((64, 80, 3), np.uint8)
    pixels[16:48, 24:56] = noise_picture(32)

    rule = DecodeRule(32, crop_fraction=0.5)
    square = decode_image(encoded(Image.fromarray(pixels), "PNG"), rule)

    np.testing.assert_array_equal(square, noise_picture(32))


def test_a_small_image_is_enlarged() -> None:
    square = decode_image(encoded(Image.new("RGB", (1, 1), (9, 8, 7)), "PNG"), RULE)

    assert (square == [9, 8, 7]).all()


@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_a_truncated_file_is_reported_as_truncated(
    file_format: str, kept: float
) -> None:
    data = encoded(Image.fromarray(noise_picture()), file_format)
    data = data[: int(kept * len(data))]

    error = failure(data)

    assert error.reason == "truncated"
    assert f"{file_format} of {len(data)} bytes" in error.detail


@pytest.mark.parametrize("progressive", [False, True])
def test_a_galaxy_that_lacks_its_last_rows_is_reported_as_truncated(
    progressive: bool,
) -> None:
    data = encoded(galaxy(), "JPEG", progressive=progressive)

    for num_lost in (20, 100, 1000, len(data) // 2):
        assert failure(data[:-num_lost]).reason == "truncated"


@pytest.mark.real_data
def test_the_one_truncated_galaxy_of_the_survey_is_found(galaxy_data: Path) -> None:
    folder = galaxy_data / "sdss_survey"
    names = pd.read_parquet(folder / "catalog.parquet").image.tolist()

    _, errors = read_images(names, str(folder), DecodeRule(16))

    assert len(errors) == 4001
    [error] = [error for error in errors if error]
    assert error.startswith("truncated: JPEG of 2449 bytes")


def test_a_jpeg_with_something_behind_its_end_is_decoded() -> None:
    data = encoded(galaxy(), "JPEG")

    square = decode_image(data + bytes(1000), RULE)

    np.testing.assert_array_equal(square, decode_image(data, RULE))


def test_a_jpeg_with_stray_bytes_before_a_marker_is_decoded() -> None:
    data = encoded(galaxy(), "JPEG")
    stray = data[:-2] + b"\1\2\3" + data[-2:]

    assert_close_to_pillow([stray], RULE)


def test_a_jpeg_of_noise_after_its_header_is_not_decoded() -> None:
    data = encoded(galaxy(), "JPEG")
    start = data.index(b"\xff\xda")

    assert failure(data[:3] + np.random.default_rng(0).bytes(500)).reason in (
        "not_an_image",
        "unreadable",
        "truncated",
    )
    assert failure(data[: start + 2] + bytes(500)).reason in ("unreadable", "truncated")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [8001, 12_000, 60_000])
def test_a_jpeg_bomb_is_reported_as_too_large(side: int) -> None:
    data = with_size(encoded(galaxy(), "JPEG"), side, side)

    assert failure(data).reason == "too_large"


def test_a_file_that_ends_in_its_header_is_reported_as_truncated() -> None:
    data = encoded(Image.fromarray(noise_picture()), "PNG")

    assert failure(data[:20]).reason == "truncated"


def test_a_header_that_misleads_is_reported_as_unreadable() -> None:
    data = bytearray(encoded(Image.fromarray(noise_picture()), "PNG"))
    data[16:20] = b"\x00\x00\x00\x00"  # a width of 0, against the checksum

    assert failure(bytes(data)).reason in ("unreadable", "not_an_image")


def test_damaged_pixels_are_reported_as_unreadable() -> None:
    data = bytearray(encoded(Image.fromarray(noise_picture()), "PNG"))
    data[200:232] = bytes(32)

    error = failure(bytes(data))

    assert error.reason == "unreadable"
    assert f"PNG of {len(data)} bytes" in error.detail


def test_an_empty_file_is_not_an_image() -> None:
    assert str(failure(b"")) == "not_an_image: the file is empty"


def test_a_web_page_is_not_an_image_and_its_first_bytes_are_shown() -> None:
    error = failure(HTML)

    assert error.reason == "not_an_image"
    assert "<!DOCTYPE html>" in error.detail
    assert f"{len(HTML)} bytes" in error.detail


def test_random_bytes_are_not_an_image() -> None:
    assert failure(np.random.default_rng(0).bytes(400)).reason == "not_an_image"


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [8001, 12_000, 60_000])
def test_a_decompression_bomb_is_reported_as_too_large(side: int) -> None:
    assert failure(png_with_header(side, side)).reason == "too_large"


def test_a_whole_jpeg_that_is_too_large_is_not_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("galaxy_models.images.MAX_IMAGE_PIXELS", 424 * 424 - 1)

    assert failure(encoded(galaxy(), "JPEG")).reason == "too_large"


def test_a_frame_that_is_a_little_too_large_is_named_with_its_size() -> None:
    detail = failure(png_with_header(8001, 8000)).detail

    assert detail == "8001×8000 px, over 64000000 pixels"


@pytest.mark.parametrize("size", [0, -1])
def test_an_image_size_below_one_is_refused(size: int) -> None:
    with pytest.raises(ConfigError, match=f"at least 1 px.*image_size={size}"):
        DecodeRule(size)


@pytest.mark.parametrize("fraction", [0.0, 1.5])
def test_a_crop_fraction_out_of_range_is_refused(fraction: float) -> None:
    with pytest.raises(ConfigError, match=rf"\(0, 1\].*crop_fraction={fraction}"):
        DecodeRule(32, fraction)


def test_a_failure_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(ImageDecodeError("truncated", "PNG of 3 bytes")))

    assert (error.reason, error.detail) == ("truncated", "PNG of 3 bytes")


def test_a_bad_file_harms_no_other(tmp_path: Path) -> None:
    picture = noise_picture(32)
    good = encoded(Image.fromarray(picture), "PNG")
    (tmp_path / "good.png").write_bytes(good)
    (tmp_path / "cut.png").write_bytes(good[:2000])
    (tmp_path / "page.jpg").write_bytes(HTML)
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder.jpg").mkdir()
    paths = [
        "good.png", "cut.png", "page.jpg", "empty.jpg", "folder.jpg", "nowhere.jpg",
        None, "", "http://host/1.jpg", str(tmp_path / "good.png"),
    ]  # fmt: skip

    images, errors = read_images(paths, str(tmp_path), RULE)

    assert images.shape == (10, 32, 32, 3)
    np.testing.assert_array_equal(images[0], picture)
    np.testing.assert_array_equal(images[9], picture)
    assert not images[1:9].any()
    assert [error and error.partition(":")[0] for error in errors] == [
        None, "truncated", "not_an_image", "not_an_image", "unreadable", "missing",
        "missing", "missing", "unreadable", None,
    ]  # fmt: skip


def test_a_missing_file_is_named_with_its_full_path(tmp_path: Path) -> None:
    _, errors = read_images(["a/1.jpg"], str(tmp_path), RULE)

    assert errors == [f"missing: no file {tmp_path}/a/1.jpg"]


def test_a_galaxy_without_image_says_so(tmp_path: Path) -> None:
    _, errors = read_images([None], str(tmp_path), RULE)

    assert errors == ["missing: the catalog names no image"]


def test_a_path_of_an_unknown_scheme_says_which_schemes_work(tmp_path: Path) -> None:
    _, [error] = read_images(["http://host/1.jpg"], str(tmp_path), RULE)

    assert error is not None
    assert "unknown scheme 'http'; use a local path or s3://" in error


@pytest.mark.parametrize("path", ["a\0b.jpg", "s3://", "s3:///key.jpg"])
def test_a_path_that_no_filesystem_takes_is_a_failed_row(
    path: str, tmp_path: Path
) -> None:
    _, [error] = read_images([path], str(tmp_path), RULE)

    assert error is not None
    assert error.startswith("unreadable")


def test_no_paths_give_no_images(tmp_path: Path) -> None:
    images, errors = read_images([], str(tmp_path), RULE)

    assert images.shape == (0, 32, 32, 3)
    assert errors == []
