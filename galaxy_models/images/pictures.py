"""Whole JPEG, PNG, TIFF and WebP pictures, as they lie in their files.

Nothing is cut, scaled or turned, as ``decode`` does for a network.
"""

import warnings
from contextlib import suppress
from typing import BinaryIO

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from galaxy_models.images.decode import (
    JPEG_START,
    check_scans,
    open_image,
    to_rgb,
    undecodable,
)

PLAIN_MODES = ("RGB", "L")  # of JPEGs that libjpeg-turbo decodes as Pillow does


def decode_whole(data: bytes, max_pixels: int) -> NDArray[np.uint8]:
    """Decode a whole JPEG, PNG, TIFF or WebP, its pixels in the order of the file.

    Args:
        data: the file's bytes.
        max_pixels: the most that it may have.

    Returns:
        uint8, shape (height, width, 3), RGB. An EXIF orientation is not followed.

    Raises:
        ImageDecodeError: as for ``decode_image``.
    """
    check_scans(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = open_image(data, max_pixels)  # its size is checked before any pixel
        try:
            if data.startswith(JPEG_START) and image.mode in PLAIN_MODES:
                with suppress(ValueError):  # a flaw, which Pillow puts into words
                    pixels = simplejpeg.decode_jpeg(data, "RGB", strict=True)
                    return np.asarray(pixels, np.uint8)
            return np.asarray(to_rgb(image), np.uint8)
        except Exception as error:  # Pillow's plugins raise nearly every type there is
            raise undecodable(image, data, error) from error


def picture_shape(file: BinaryIO, max_pixels: int) -> tuple[int, int]:
    """Rows and columns of a JPEG, PNG, TIFF or WebP, from its header.

    Raises:
        ImageDecodeError: as for ``decode_whole``, as far as a header shows it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        width, height = open_image(file, max_pixels).size
    return height, width
