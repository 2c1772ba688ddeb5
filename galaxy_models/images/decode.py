"""Image files -> uint8 RGB at the network's size; the only module that knows JPEG.

One function serves training and scoring, so a network never sees at work what it
did not see in its lessons. Plain JPEGs go a quick way (libjpeg-turbo, OpenCV), FITS
goes to ``fits``; every other file, and every JPEG with a flaw, goes to Pillow,
which alone says what is wrong with it. A file is a stranger's: whatever it holds, it
becomes pixels or an ``ImageDecodeError``. This module knows nothing of catalogs,
networks or Ray.
"""

import ctypes
import io
import logging
import math
import os
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import BinaryIO

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError, _imaging

from galaxy_models.config.decode_rule import (
    MAX_IMAGE_PIXELS,
    DecodeRule,
)
from galaxy_models.errors import FailureReason, ImageDecodeError
from galaxy_models.images.files import ImageFile, ImageSource, read_files
from galaxy_models.images.fits import decode_fits, is_fits
from galaxy_models.images.resize import (
    central_square,
    resize_square,
    resize_with_pillow,
)

__all__ = ["DecodeRule", "decode_files", "decode_image", "read_images"]

PILLOW_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP")  # each parser more is a way in
SIXTEEN_BIT_MODES = ("I;16", "I;16L", "I;16B", "I;16N")
UNBOUNDED_MODES = ("I", "F")  # 32-bit integers and floats

JPEG_START = b"\xff\xd8\xff"
JPEG_SCAN = b"\xff\xda"  # nowhere in a scan's own data
MAX_JPEG_SCANS = 50  # ten are usual; each costs a pass over all pixels, and few bytes
ORIENTATION_MARKS = (b"Exif\0\0", b"tiff:Orientation")  # EXIF's and XMP's
PLAIN_COLORSPACES = ("YCbCr", "Gray")
MAX_DIVISOR = 8  # libjpeg scales fast by 1/2, 1/4 and 1/8
MIN_SPARE = 1.1  # scaled to hardly more than the result, parts are too sharp
FAST_COLOUR_SCALE = 1.5  # shrunk so much, colours need no smoothing; 8 % of the time
DIVIDED_BLUR = 0.03  # libjpeg's scaling leaves more detail than an average; measured


def read_images(
    sources: Sequence[ImageSource],
    image_root: str,
    rule: DecodeRule,
    allowed_prefixes: Sequence[str] = (),
) -> tuple[NDArray[np.uint8], list[str | None]]:
    """Read and decode a batch of image files; a bad one harms no other.

    Args:
        sources: one URI, path relative to ``image_root``, or file's bytes, a galaxy;
            None where the catalog names no image.
        image_root: URI of a folder.
        rule: crop, size and the bands of FITS images.
        allowed_prefixes: URIs of further folders that paths may lead to.

    Returns:
        uint8, shape (len(sources), image_size, image_size, 3), black where it failed;
        and for each of them None, or what failed (a ``FailureReason``, a colon,
        details).

    Example:
        >>> images, errors = read_images(
        ...     ["images/587722981742084096.jpg", "images/none.jpg"],
        ...     image_root="labelled",
        ...     rule=DecodeRule(image_size=64),
        ... )
        >>> images.shape, images.dtype
        ((2, 64, 64, 3), dtype('uint8'))
        >>> [error and error.partition(":")[0] for error in errors]
        [None, 'missing']
    """
    return decode_files(read_files(sources, image_root, allowed_prefixes), rule)


def decode_files(
    files: Sequence[ImageFile], rule: DecodeRule
) -> tuple[NDArray[np.uint8], list[str | None]]:
    """Decode files that were read; returns what ``read_images`` does."""
    size = rule.image_size
    images = np.zeros((len(files), size, size, 3), np.uint8)
    errors: list[str | None] = []
    for index, file in enumerate(files):
        try:
            if isinstance(file, ImageDecodeError):
                raise file
            images[index] = decode_image(file, rule)
            errors.append(None)
        except ImageDecodeError as error:
            errors.append(str(error))
    return images, errors


def decode_image(data: bytes, rule: DecodeRule) -> NDArray[np.uint8]:
    """Decode a file's bytes into the square that a network sees.

    A plain JPEG (greyscale or YCbCr, baseline or progressive, without orientation)
    is decoded by libjpeg-turbo, scaled by 1/2, 1/4 or 1/8 on the way if the square
    stays a tenth larger than the result, and resized with a close match of Pillow's
    filter. On 296 real galaxies of 424 px the distance from Pillow's full decode and
    resize was, in grey levels, 0.21 in the mean and 13 at most at 224 px, 0.35 and 23
    at 160, 0.30 and 14 at 128; of all sizes from 24 px, whole or a crop of 0.55, 0.7
    and 43 was the worst. The bound that tests hold: 1.5 in an image's mean, 50 in any
    pixel. FITS is ``fits``'; what else is an image, or has a flaw, is Pillow's.

    Args:
        data: a whole JPEG, PNG, TIFF or WebP, whose greyscale, palette, CMYK, 16-bit
            and EXIF-rotated images become upright 8-bit RGB; or FITS, for which see
            ``fits.decode_fits``.
        rule: crop and size.

    Returns:
        uint8, shape (image_size, image_size, 3), rows from the top, RGB.

    Raises:
        ImageDecodeError: reason ``not_an_image``, ``truncated``, ``too_large`` or
            ``unreadable``.
    """
    check_scans(data)
    square = _decode_plain_jpeg(data, rule)
    if square is not None:
        return square
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a flaw is an error or harmless; never a log
        return _decode_fits(data, rule) if is_fits(data) else _decode_any(data, rule)


def square_of(pixels: NDArray[np.uint8], rule: DecodeRule) -> NDArray[np.uint8]:
    """Make the square that a network sees of an image's pixels.

    Args:
        pixels: uint8, shape (height, width, 3), rows from the top, RGB.
        rule: crop and size.

    Returns:
        uint8, shape (image_size, image_size, 3).
    """
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    box = central_square(picture.size, rule.crop_fraction)
    return resize_with_pillow(picture, box, rule.image_size)


def _decode_plain_jpeg(data: bytes, rule: DecodeRule) -> NDArray[np.uint8] | None:
    """Decode the quick way; None where Pillow must look at the file."""
    # Only what a crop of 0.55 needs would take 0.7 of the time, but no package that
    # brings libjpeg-turbo decodes regions (measured in tests/benchmarks/README.md).
    if not data.startswith(JPEG_START):
        return None
    if any(mark in data for mark in ORIENTATION_MARKS):
        return None
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
        if colorspace not in PLAIN_COLORSPACES or height * width > MAX_IMAGE_PIXELS:
            return None
        side = min(width, height) * rule.crop_fraction
        divisor = libjpeg_divisor(side, rule.image_size)
        pixels = simplejpeg.decode_jpeg(
            data,
            "RGB",
            min_height=math.ceil(height / divisor),
            min_width=math.ceil(width / divisor),
            fastupsample=side >= FAST_COLOUR_SCALE * divisor * rule.image_size,
            strict=True,  # a warning, such as of a premature end, raises
        )
    except ValueError:
        return None
    box = central_square((width / divisor, height / divisor), rule.crop_fraction)
    return resize_square(pixels, box, rule.image_size, DIVIDED_BLUR * (divisor > 1))


def libjpeg_divisor(side: float, image_size: int) -> int:
    """Largest power of two that leaves the central square larger than the result."""
    divisor = 1
    while divisor < MAX_DIVISOR and side / (2 * divisor) >= MIN_SPARE * image_size:
        divisor *= 2
    return divisor


def _decode_fits(data: bytes, rule: DecodeRule) -> NDArray[np.uint8]:
    return square_of(decode_fits(data, rule), rule)


def _decode_any(data: bytes, rule: DecodeRule) -> NDArray[np.uint8]:
    """Decode whatever Pillow reads, or say what is wrong with it."""
    image = open_image(data, MAX_IMAGE_PIXELS)
    try:
        upright = ImageOps.exif_transpose(to_rgb(image))
        box = central_square(upright.size, rule.crop_fraction)
        return resize_with_pillow(upright, box, rule.image_size)
    except Exception as error:  # Pillow's plugins raise nearly every type there is
        raise undecodable(image, data, error) from error


@lru_cache(maxsize=1)
def _silence_pillow() -> None:
    """Keep Pillow's log and libtiff's stderr from telling every flaw of every file.

    What matters comes as an exception. Where libtiff is linked in another way than in
    Pillow's wheels it may go on talking.
    """
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    with suppress(AttributeError, OSError):
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


def check_scans(data: bytes) -> None:
    """Refuse a JPEG that is built to take very long.

    Raises:
        ImageDecodeError: reason ``too_large``.
    """
    if data.startswith(JPEG_START) and data.count(JPEG_SCAN) > MAX_JPEG_SCANS:
        raise ImageDecodeError("too_large", f"JPEG of over {MAX_JPEG_SCANS} scans")


def undecodable(image: Image.Image, data: bytes, error: Exception) -> ImageDecodeError:
    """Say why an image that was opened cannot be decoded."""
    return ImageDecodeError(
        _reason(error), f"{image.format} of {len(data)} bytes: {error}"
    )


def open_image(data: bytes | BinaryIO, max_pixels: int) -> Image.Image:
    """Open an image with Pillow, which reads the header only.

    Args:
        data: a whole file, or one that is open.
        max_pixels: the most that it may have.

    Raises:
        ImageDecodeError: it is none of ``PILLOW_FORMATS``, or too large.
    """
    _silence_pillow()
    if not data:
        raise ImageDecodeError("not_an_image", "the file is empty")
    file = io.BytesIO(data) if isinstance(data, bytes) else data
    try:
        image = Image.open(file, formats=PILLOW_FORMATS)
    except UnidentifiedImageError as error:
        file.seek(0)
        start, size = file.read(16), file.seek(0, os.SEEK_END)
        raise ImageDecodeError(
            "not_an_image", f"{size} bytes that begin with {start!r}"
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageDecodeError("too_large", str(error)) from error
    except Exception as error:  # a header that misleads a plugin
        raise ImageDecodeError(_reason(error), f"header: {error}") from error
    width, height = image.size
    if width * height > max_pixels:
        raise ImageDecodeError(
            "too_large", f"{width}×{height} px, over {max_pixels} pixels"
        )
    return image


def _reason(error: Exception) -> FailureReason:
    if isinstance(error, MemoryError):
        return "too_large"
    return "truncated" if "truncated" in str(error).lower() else "unreadable"


def to_rgb(image: Image.Image) -> Image.Image:
    """Turn what Pillow opened into 8-bit RGB.

    Raises:
        ValueError: its pixels have no known white level.
    """
    if image.mode in SIXTEEN_BIT_MODES:
        # Pillow's own conversion clips at 255 and would turn the frame white.
        pixels = np.asarray(image).astype(np.uint16) >> 8
        eight_bit = Image.fromarray(pixels.astype(np.uint8))
        eight_bit.info.update(image.info)  # holds the EXIF orientation
        return eight_bit.convert("RGB")
    if image.mode in UNBOUNDED_MODES:
        raise ValueError(f"pixels of mode {image.mode} have no known white level")
    return image.convert("RGB")
