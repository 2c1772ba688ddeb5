"""Wide images, such as whole survey frames, opened wherever they lie.

A FITS image on disk is read as far as a region needs, also in compressed tiles; any
other file whole. Regions and positions are in the order of the file's array: row 0 is
the first row of the file, and pixel centres lie at whole numbers. This module knows
neither sources nor networks.
"""

import io
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.config.decode_rule import MAX_IMAGE_BYTES, DecodeRule
from galaxy_models.errors import ImageDecodeError
from galaxy_models.images.allowed_paths import image_uri
from galaxy_models.images.files import ImageSource, read_files
from galaxy_models.images.fits import FITS_START, GZIP_START, is_fits
from galaxy_models.images.fits_limits import gunzip
from galaxy_models.images.pictures import decode_whole, picture_shape
from galaxy_models.images.wide_fits import open_fits
from galaxy_models.images.wide_image import WideImage

MAX_PICTURE_PIXELS = 100_000_000  # 300 MB of RGB; Pillow refuses more by itself
WHITE = 255


def open_wide_image(
    source: ImageSource,
    image_root: str,
    rule: DecodeRule,
    allowed_prefixes: Sequence[str] = (),
) -> WideImage:
    """Open an image; of a FITS file on disk only headers are read.

    Args:
        source: URI, path relative to ``image_root``, or the file's bytes.
        image_root: URI of a folder.
        rule: the bands and the stretch of FITS images.
        allowed_prefixes: URIs of further folders that paths may lead to.

    Raises:
        ImageDecodeError: it is missing, refused, or no image.
        StorageError: an object store does not answer.
    """
    path = _local_fits(source, image_root, allowed_prefixes)
    if path is not None:
        return open_fits(path, path.stat().st_size, rule)
    (data,) = read_files([source], image_root, allowed_prefixes)
    if isinstance(data, ImageDecodeError):
        raise data
    if not is_fits(data):
        return Picture(decode_whole(data, MAX_PICTURE_PIXELS))
    if data.startswith(GZIP_START):
        data = _unpacked(data)
    return open_fits(io.BytesIO(data), len(data), rule)


def wide_image_shape(
    source: ImageSource,
    image_root: str,
    rule: DecodeRule,
    allowed_prefixes: Sequence[str] = (),
) -> tuple[int, int]:
    """Rows and columns of an image; of a file on disk only headers are read.

    Args:
        source: as for ``open_wide_image``, as is the rest.
        image_root: see there.
        rule: see there.
        allowed_prefixes: see there.

    Raises:
        ImageDecodeError: as for ``open_wide_image``, as far as headers show it.
        StorageError: an object store does not answer.
    """
    path = _local_file(source, image_root, allowed_prefixes)
    if path is not None and not is_fits(_start_of(path)):
        with path.open("rb") as file:
            return picture_shape(file, MAX_PICTURE_PIXELS)
    image = open_wide_image(source, image_root, rule, allowed_prefixes)
    image.close()
    return image.height, image.width


def _local_fits(
    source: ImageSource, image_root: str, allowed_prefixes: Sequence[str]
) -> Path | None:
    """Find a FITS file on disk that is not packed as a whole; None for all else."""
    path = _local_file(source, image_root, allowed_prefixes)
    return path if path is not None and _start_of(path) == FITS_START else None


def _local_file(
    source: ImageSource, image_root: str, allowed_prefixes: Sequence[str]
) -> Path | None:
    """Find a file on disk; None where there is none that can be read."""
    if not source or isinstance(source, bytes):
        return None
    uri = image_uri(source, image_root, allowed_prefixes)
    if storage.is_remote(uri):
        return None
    try:
        path = Path(storage.absolute_uri(uri))
        is_there = stat.S_ISREG(path.stat().st_mode) and os.access(path, os.R_OK)
    except (OSError, ValueError):  # reading it whole says why
        return None
    return path if is_there else None


def _start_of(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(len(FITS_START))


def _unpacked(data: bytes) -> bytes:
    try:
        unpacked = gunzip(data, MAX_IMAGE_BYTES)
    except ImageDecodeError:
        raise
    except Exception as error:  # zlib's and gzip's own
        raise ImageDecodeError("unreadable", f"gzip: {error}") from error
    if not unpacked.startswith(FITS_START):
        raise ImageDecodeError("not_an_image", "gzip of something that is not FITS")
    return unpacked


class Picture(WideImage):
    """A JPEG, PNG, TIFF or WebP, decoded.

    Args:
        pixels: uint8, shape (height, width, 3).
    """

    is_linear = False
    is_upside_down = False
    saturation = float(WHITE)

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self._pixels = pixels
        self.height, self.width = pixels.shape[:2]

    def read(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Read a region; see ``WideImage``."""
        region = self._pixels[rows, columns].transpose(2, 0, 1)
        return np.ascontiguousarray(region, np.float32)

    def to_rgb(self, planes: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Give the pixels back as they were; see ``WideImage``."""
        return np.ascontiguousarray(planes.transpose(1, 2, 0), np.uint8)

    def close(self) -> None:
        """Nothing is open."""
