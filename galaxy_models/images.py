"""Image files -> uint8 RGB at the network's size; the only module that knows JPEG.

One function serves training and scoring, so a network never sees at work what it
did not see in its lessons. This module knows nothing of catalogs, networks or Ray.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from galaxy_models import storage
from galaxy_models.errors import (
    ConfigError,
    FailureReason,
    ImageDecodeError,
    InputError,
)

MAX_IMAGE_PIXELS = 64_000_000  # 8000 px squared: far above any cutout, far below a bomb
SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N")
UNBOUNDED_MODES = ("I", "F")  # 32-bit integers and floats


@dataclass(frozen=True)
class DecodeRule:
    """How an image file becomes the square that a network sees.

    The central square of side ``crop_fraction`` × the shorter side is cut out and
    resized, antialiased (Pillow's bilinear filter, whose support grows with the
    scale). Nothing is stretched: a galaxy's axis ratio is its class.
    """

    image_size: int
    """Side of the result (px)."""

    crop_fraction: float = 1.0
    """Central share of the shorter side that is kept, in (0, 1]."""

    def __post_init__(self) -> None:
        """Check both values.

        Raises:
            ConfigError: naming the value that is out of range.
        """
        if self.image_size < 1:
            raise ConfigError(f"image_size must be at least 1 px, not {self}.")
        if not 0 < self.crop_fraction <= 1:
            raise ConfigError(f"crop_fraction must lie in (0, 1], not {self}.")


def read_images(
    paths: Sequence[str | None], image_root: str, rule: DecodeRule
) -> tuple[NDArray[np.uint8], list[str | None]]:
    """Read and decode a batch of image files; a bad one harms no other.

    Args:
        paths: one URI, or path relative to ``image_root``, a galaxy; None where the
            catalog names no image.
        image_root: URI of a folder.
        rule: crop and size.

    Returns:
        uint8, shape (len(paths), image_size, image_size, 3), black where it failed;
        and for each path None, or what failed (a ``FailureReason``, a colon, details).
    """
    size = rule.image_size
    images = np.zeros((len(paths), size, size, 3), np.uint8)
    errors: list[str | None] = []
    for index, path in enumerate(paths):
        try:
            images[index] = decode_image(_read_file(path, image_root), rule)
            errors.append(None)
        except ImageDecodeError as error:
            errors.append(str(error))
    return images, errors


def _read_file(path: str | None, image_root: str) -> bytes:
    if not path:
        raise ImageDecodeError("missing", "the catalog names no image")
    uri = storage.join(image_root, path)
    try:
        return storage.read_bytes(uri)
    except FileNotFoundError as error:
        raise ImageDecodeError("missing", f"no file {uri}") from error
    except (OSError, InputError, ValueError) as error:  # ValueError: no path at all
        raise ImageDecodeError("unreadable", f"{uri}: {error}") from error


def decode_image(data: bytes, rule: DecodeRule) -> NDArray[np.uint8]:
    """Decode a file's bytes into the square that a network sees.

    Args:
        data: a whole JPEG, PNG or other file that Pillow reads; greyscale, palette,
            CMYK, 16-bit and EXIF-rotated images become upright 8-bit RGB.
        rule: crop and size.

    Returns:
        uint8, shape (image_size, image_size, 3), rows from the top, RGB.

    Raises:
        ImageDecodeError: reason ``not_an_image``, ``truncated``, ``too_large`` or
            ``unreadable``.
    """
    image = _open_image(data)
    try:
        upright = ImageOps.exif_transpose(_to_rgb(image))
        square = upright.resize(
            (rule.image_size, rule.image_size),
            Image.Resampling.BILINEAR,
            box=_central_square(upright.size, rule.crop_fraction),
        )
    except Exception as error:  # Pillow's plugins raise nearly every type there is
        raise ImageDecodeError(
            _reason(error),
            f"{image.format} of {len(data)} bytes: {error}",
        ) from error
    return np.asarray(square, dtype=np.uint8)


def _open_image(data: bytes) -> Image.Image:
    if not data:
        raise ImageDecodeError("not_an_image", "the file is empty")
    try:
        image = Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:
        raise ImageDecodeError(
            "not_an_image", f"{len(data)} bytes that begin with {data[:16]!r}"
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageDecodeError("too_large", str(error)) from error
    except Exception as error:  # a header that misleads a plugin
        raise ImageDecodeError(_reason(error), f"header: {error}") from error
    width, height = image.size
    if width * height > MAX_IMAGE_PIXELS:
        raise ImageDecodeError(
            "too_large", f"{width}×{height} px, over {MAX_IMAGE_PIXELS} pixels"
        )
    return image


def _reason(error: Exception) -> FailureReason:
    return "truncated" if "truncated" in str(error).lower() else "unreadable"


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in SIXTEEN_BIT_MODES:
        # Pillow's own conversion clips at 255 and would turn the frame white.
        pixels = np.asarray(image).astype(np.uint16) >> 8
        eight_bit = Image.fromarray(pixels.astype(np.uint8))
        eight_bit.info.update(image.info)  # holds the EXIF orientation
        return eight_bit.convert("RGB")
    if image.mode in UNBOUNDED_MODES:
        raise ValueError(f"pixels of mode {image.mode} have no known white level")
    return image.convert("RGB")


def _central_square(
    size: tuple[int, int], crop_fraction: float
) -> tuple[float, float, float, float]:
    width, height = size
    side = min(width, height) * crop_fraction
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side
