"""Broken, misleading and malicious files end in a reason, never in a crash."""

import gzip
import os
import re
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from image_files import (
    HTML,
    encoded,
    failure,
    fits_file,
    fluxes,
    galaxy,
    noise_picture,
    png_with_header,
    tiles_file,
    with_size,
)
from PIL import Image

from galaxy_models.images.decode import DecodeRule, read_images

REPOSITORY = Path(__file__).parents[2]


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
    monkeypatch.setattr("galaxy_models.images.decode.MAX_IMAGE_PIXELS", 424 * 424 - 1)

    assert failure(encoded(galaxy(), "JPEG")).reason == "too_large"


def test_a_frame_that_is_a_little_too_large_is_named_with_its_size() -> None:
    detail = failure(png_with_header(8001, 8000)).detail

    assert detail == "8001×8000 px, over 64000000 pixels"


def test_headers_that_claim_a_billion_pixels_a_side_are_too_large() -> None:
    tiff = bytearray(encoded(Image.new("L", (8, 8)), "TIFF"))
    place = tiff.index(struct.pack("<HHI", 256, 4, 1) + struct.pack("<I", 8))
    tiff[place + 8 : place + 12] = struct.pack("<I", 1_000_000_000)
    image = fits_file(fluxes())
    side, absurd = (f"NAXIS1  = {side:20}".encode() for side in (40, 10**9))

    assert failure(bytes(tiff)).reason == "too_large"
    assert failure(image.replace(side, absurd)).reason == "too_large"
    assert failure(tiles_file(fluxes(), ZNAXIS1=10**9)).reason == "too_large"


def test_a_fits_image_that_is_a_little_too_large_is_named_with_its_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("galaxy_models.images.fits.MAX_IMAGE_PIXELS", 3 * 40 * 40 - 1)

    assert failure(fits_file(fluxes())).detail == "40×40×3 px, over 4799 pixels"


def test_a_gzip_bomb_is_too_large_and_never_stands_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bomb = gzip.compress(fits_file(fluxes()) + bytes(100_000_000), 1)
    monkeypatch.setattr("galaxy_models.images.fits.MAX_IMAGE_BYTES", 1_000_000)

    tracemalloc.start()
    error = failure(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert error.reason == "too_large"
    assert "over 1000000 when unpacked" in error.detail
    assert peak < 5_000_000


def test_a_bomb_in_a_tile_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiles_file(np.zeros((500, 500), np.float32), "GZIP_1")

    monkeypatch.setattr("galaxy_models.images.fits_limits.MAX_TILE_PIXELS", 499)
    assert "500 tiles of 500 pixels" in failure(data).detail

    monkeypatch.setattr("galaxy_models.images.fits_limits.MAX_TILE_PIXELS", 500)
    monkeypatch.setattr("galaxy_models.images.fits_limits.MAX_BYTES_A_PIXEL", 2)
    error = failure(data)
    assert error.reason == "too_large"
    assert "over 1000 when unpacked" in error.detail


@pytest.mark.parametrize(
    ("cards", "reason", "detail"),
    [
        ({"ZCMPTYPE": "HCOMPRESS_1"}, "unreadable", "compressed with HCOMPRESS_1"),
        ({"ZDITHER0": -(10**9)}, "unreadable", "ZDITHER0 -1000000000"),
        ({"ZDITHER0": 10**9}, "unreadable", "ZDITHER0 1000000000"),
        ({"ZVAL1": 0}, "unreadable", "Rice blocks of 0 × 4 bytes"),
        ({"ZVAL1": 10**9}, "unreadable", "Rice blocks of 1000000000"),
        ({"ZVAL2": 8}, "unreadable", "Rice blocks of 32 × 8 bytes"),
        ({"ZTILE1": 0}, "unreadable", r"tiles of \[0, 1, 1\]"),
        ({"ZTILE1": -1}, "unreadable", r"tiles of \[-1, 1, 1\]"),
        ({"ZNAXIS": 10**6}, "unreadable", "ZNAXIS4"),
        ({"ZBITPIX": 7}, "unreadable", "BITPIX"),
        ({"PCOUNT": 10**12}, "truncated", "FITS of 20160 bytes"),
        ({"NAXIS2": 10**9}, "truncated", "FITS of 20160 bytes"),
    ],
)
def test_a_header_that_would_mislead_the_decoder_of_tiles_is_not_believed(
    cards: dict[str, Any], reason: str, detail: str
) -> None:
    error = failure(tiles_file(fluxes(), **cards))

    assert error.reason == reason
    assert re.search(detail, error.detail)


def test_an_image_of_too_many_tiles_is_too_large() -> None:
    error = failure(tiles_file(np.zeros((3, 300, 300), "i2"), ZTILE1=1))

    assert str(error) == "too_large: FITS of 270000 tiles of 1 pixels"


def test_a_rice_tile_that_ends_in_zeros_does_not_take_the_process_down() -> None:
    code = """
import numpy as np
from astropy.io.fits.hdu.compressed._codecs import Rice1
from galaxy_models.images.fits_limits import harden_astropy
harden_astropy()
for size in (100, 10**5, 2**20, 2**22, 2**22 + 7):
    tile = np.frombuffer(bytes([0, 0, 0, 0, 8]) + bytes(size), np.uint8)
    try:
        Rice1(blocksize=32, bytepix=4, tilesize=4096).decode(tile)
    except Exception as error:
        print(error)
"""

    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY
    )

    assert finished.returncode == 0
    assert finished.stdout.count("hit end of compressed byte stream") == 5


def test_an_image_beyond_the_memory_is_too_large(tmp_path: Path) -> None:
    for name, side in (("small.png", 8), ("vast.png", 7000)):
        image = Image.new("L", (side, side))
        (tmp_path / name).write_bytes(encoded(image, "PNG", compress_level=1))
    code = """
import resource
from pathlib import Path
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.images.decode import decode_files
files = [Path(name).read_bytes() for name in ("small.png", "vast.png")]
decode_files(files[:1], DecodeRule(9))  # imports all that it needs
in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (in_use + 200_000_000,) * 2)
print(decode_files(files, DecodeRule(9))[1])
"""

    finished = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )

    assert finished.stdout.startswith("[None, 'too_large: PNG of "), finished


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.7])
@pytest.mark.parametrize(
    "data",
    [
        fits_file(fluxes()),
        tiles_file(fluxes()),
        gzip.compress(fits_file(fluxes())),
    ],
    ids=["plain", "tiles", "gzip"],
)
def test_truncated_fits_is_reported_as_truncated(data: bytes, kept: float) -> None:
    assert failure(data[: int(kept * len(data))]).reason == "truncated"


def test_damaged_gzip_is_unreadable() -> None:
    data = bytearray(gzip.compress(fits_file(fluxes())))
    data[2000:2100] = bytes(100)

    assert failure(bytes(data)).reason == "unreadable"


@pytest.mark.parametrize(
    ("file_format", "options"),
    [("TIFF", {"compression": "tiff_deflate"}), ("TIFF", {}), ("WEBP", {})],
)
def test_a_truncated_tiff_or_webp_is_a_failure_and_says_nothing_else(
    file_format: str, options: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    data = encoded(Image.fromarray(noise_picture()), file_format, **options)

    for kept in (0.1, 0.5, 0.9):
        reason = failure(data[: int(kept * len(data))]).reason
        assert reason in ("truncated", "unreadable", "not_an_image")
    assert capfd.readouterr() == ("", "")


def test_a_file_too_large_to_be_an_image_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "vast.jpg").open("wb") as stream:
        stream.truncate(10**12)  # a hole: it takes no room

    _, [error] = read_images(["vast.jpg"], str(tmp_path), DecodeRule(9))

    assert error is not None
    assert error.startswith("too_large: ")
    assert "1000000000000 bytes, over 256000000" in error


def test_a_small_jpeg_of_endless_scans_is_too_large() -> None:
    data = encoded(Image.new("RGB", (4000, 4000)), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    assert len(scan) < 100  # so that a thousand, at 25 ms each, are a small file

    error = failure(data[:-2] + 1000 * scan + data[-2:])

    assert str(error) == "too_large: JPEG of over 50 scans"
