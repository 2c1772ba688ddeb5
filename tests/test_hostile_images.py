"""Broken, misleading and malicious files end in a reason, never in a crash."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from image_files import (
    HTML,
    encoded,
    failure,
    galaxy,
    noise_picture,
    png_with_header,
    with_size,
)
from PIL import Image

from galaxy_models.images import DecodeRule, read_images


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
    monkeypatch.setattr("galaxy_models.images.MAX_IMAGE_PIXELS", 424 * 424 - 1)

    assert failure(encoded(galaxy(), "JPEG")).reason == "too_large"


def test_a_frame_that_is_a_little_too_large_is_named_with_its_size() -> None:
    detail = failure(png_with_header(8001, 8000)).detail

    assert detail == "8001×8000 px, over 64000000 pixels"
