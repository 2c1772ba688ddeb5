"""Paths become squares of pixels by one rule, or failed rows."""

import os
import pickle
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_files import HTML, RULE, encoded, galaxy, noise_picture
from PIL import Image

from galaxy_models.errors import ConfigError, ImageDecodeError
from galaxy_models.images.decode import DecodeRule, decode_image, read_images
from galaxy_models.simulation import CLASSES


def spot(width: int, height: int) -> Image.Image:
    """A round spot in the very centre."""
    y, x = np.mgrid[0:height, 0:width]
    radius = np.hypot(x - (width - 1) / 2, y - (height - 1) / 2)
    light = 250 * np.exp(-((radius / (0.1 * min(width, height))) ** 2))
    return Image.fromarray(light.astype(np.uint8)).convert("RGB")


def test_rows_start_at_the_top_and_channels_are_red_green_blue() -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:8, :, 0] = 255  # a red strip at the top

    square = decode_image(encoded(Image.fromarray(pixels), "PNG"), RULE)

    np.testing.assert_array_equal(square, pixels)


def test_resizing_averages_and_does_not_pick_pixels() -> None:
    checkers = (np.indices((96, 96)).sum(axis=0) % 2 * 255).astype(np.uint8)

    square = decode_image(encoded(Image.fromarray(checkers), "PNG"), DecodeRule(16))

    assert np.abs(square.astype(int) - 127).max() < 15


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


@pytest.mark.parametrize("size", [0, -1])
def test_an_image_size_below_one_is_refused(size: int) -> None:
    with pytest.raises(ConfigError, match=f"at least 1 px.*image_size={size}"):
        DecodeRule(size)


@pytest.mark.parametrize("fraction", [0.0, 1.5])
def test_a_crop_fraction_out_of_range_is_refused(fraction: float) -> None:
    with pytest.raises(ConfigError, match=rf"\(0, 1\].*crop_fraction={fraction}"):
        DecodeRule(32, fraction)


@pytest.mark.parametrize("bands", [("r", "g"), ("r", ""), ("u", "g", "r", "i")])
def test_a_number_of_fits_bands_that_makes_no_picture_is_refused(
    bands: tuple[str, ...],
) -> None:
    with pytest.raises(ConfigError, match="one or three bands"):
        DecodeRule(32, fits_bands=bands)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["fits_stretch", "fits_q"])
def test_a_stretch_that_is_not_positive_is_refused(name: str, value: float) -> None:
    rule: dict[str, Any] = {name: value}
    with pytest.raises(ConfigError, match=f"{name} must be above 0"):
        DecodeRule(32, **rule)


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
        "missing", "missing", "refused", None,
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


@pytest.mark.parametrize("path", ["../1.jpg", "/etc/passwd", "a\0b.jpg", "s3://"])
def test_a_path_that_leaves_the_image_root_is_a_failed_row(
    path: str, tmp_path: Path
) -> None:
    _, [error] = read_images([path], str(tmp_path), RULE)

    assert error is not None
    assert error.startswith("refused: ")


def test_an_allowed_folder_is_read_from_and_no_other(tmp_path: Path) -> None:
    for folder in ("root", "allowed", "forbidden"):
        (tmp_path / folder).mkdir()
        image = encoded(Image.new("RGB", (4, 4), (9, 9, 9)), "PNG")
        (tmp_path / folder / "1.png").write_bytes(image)
    paths = [f"{tmp_path}/{folder}/1.png" for folder in ("allowed", "forbidden")]

    images, errors = read_images(
        paths, str(tmp_path / "root"), RULE, [str(tmp_path / "allowed")]
    )

    assert images.any(axis=(1, 2, 3)).tolist() == [True, False]
    assert errors[0] is None
    assert str(errors[1]).startswith("refused")


def test_a_link_inside_the_image_root_may_lead_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    image = encoded(Image.new("RGB", (4, 4), (9, 9, 9)), "PNG")
    (tmp_path / "1.png").write_bytes(image)
    (tmp_path / "root" / "link.png").symlink_to(tmp_path / "1.png")

    _, errors = read_images(["link.png"], str(tmp_path / "root"), RULE)

    assert errors == [None]


@pytest.mark.parametrize("path", ["x" * 10_240, "a\nb.jpg", "\udcff.jpg", "'; rm -rf"])
def test_an_odd_name_is_a_failed_row_of_one_short_line(
    path: str, tmp_path: Path
) -> None:
    _, [error] = read_images([path], str(tmp_path), RULE)

    assert error is not None
    assert error.startswith(("missing: ", "unreadable: "))
    assert len(error) < 600
    assert error.isprintable()
    error.encode()  # as Arrow does


def test_no_paths_give_no_images(tmp_path: Path) -> None:
    images, errors = read_images([], str(tmp_path), RULE)

    assert images.shape == (0, 32, 32, 3)
    assert errors == []


@pytest.mark.timeout(20)
def test_what_is_no_regular_file_is_unreadable_and_keeps_nobody_waiting(
    tmp_path: Path,
) -> None:
    (tmp_path / "good.png").write_bytes(encoded(galaxy(), "PNG"))
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "link.jpg").symlink_to("pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.jpg"))
    names = ["pipe.jpg", "link.jpg", "socket.jpg", "/dev/zero", "/dev/tty", "good.png"]

    _, errors = read_images(names, str(tmp_path), RULE, ["/"])

    assert errors[-1] is None
    assert [error and error.partition(":")[0] for error in errors[:-1]] == (
        ["unreadable"] * 5
    )
    assert errors[0] == f"unreadable: {tmp_path}/pipe.jpg: not a regular file"
