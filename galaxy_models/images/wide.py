"""Wide images, such as whole survey frames, read by regions.

A FITS image on disk is read as far as a region needs, also in compressed tiles; any
other file whole. Regions and positions are in the order of the file's array: row 0 is
the first row of the file, and pixel centres lie at whole numbers. This module knows
neither sources nor networks.
"""

import io
import stat
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.config.decode_rule import MAX_IMAGE_BYTES, DecodeRule
from galaxy_models.errors import ImageDecodeError
from galaxy_models.images.allowed_paths import image_uri
from galaxy_models.images.decode import ImageSource, decode_whole, read_files
from galaxy_models.images.fits import (
    FITS_BLOCK_BYTES,
    FITS_START,
    GZIP_START,
    MAX_HDUS,
    Band,
    check_bands,
    choose_bands,
    fits_reason,
    is_fits,
    list_bands,
    to_picture,
)
from galaxy_models.images.fits_limits import gunzip, harden_astropy

MAX_PICTURE_PIXELS = 100_000_000  # 300 MB of RGB; Pillow refuses more by itself
MAX_FITS_PIXELS = 2**32  # of all bands; only regions of it are ever in memory
WHITE = 255


class WideImage(ABC):
    """An image that was opened; its pixels are read when they are asked for."""

    height: int
    """Rows."""

    width: int
    """Columns."""

    is_linear: bool
    """Whether pixels are fluxes; else they are a picture's stretched grey levels."""

    is_upside_down: bool
    """Whether people look at it with its last row on top, as at FITS."""

    saturation: float | None
    """Value from which a pixel counts as saturated, in any band; None if unknown."""

    wcs: Any | None = None
    """A celestial ``astropy.wcs.WCS`` for positions that start at 0, if there is one
    that can be used."""

    @abstractmethod
    def read(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Read a region.

        Returns:
            float32, shape (bands, rows, columns), red first; NaN where nothing is
            known.

        Raises:
            ImageDecodeError: the region cannot be read.
        """

    @abstractmethod
    def to_rgb(self, planes: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Turn pixels that ``read`` gave into what a network was trained on.

        Returns:
            uint8, shape (rows, columns, 3), rows as people look at it.
        """

    @abstractmethod
    def close(self) -> None:
        """Give up the file."""


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
        return _open_fits(path, path.stat().st_size, rule)
    (data,) = read_files([source], image_root, allowed_prefixes)
    if isinstance(data, ImageDecodeError):
        raise data
    if not is_fits(data):
        return Picture(decode_whole(data, MAX_PICTURE_PIXELS))
    if data.startswith(GZIP_START):
        data = _unpacked(data)
    return _open_fits(io.BytesIO(data), len(data), rule)


def _local_fits(
    source: ImageSource, image_root: str, allowed_prefixes: Sequence[str]
) -> Path | None:
    """Find a FITS file on disk that is not packed as a whole; None for all else."""
    if not source or isinstance(source, bytes):
        return None
    uri = image_uri(source, image_root, allowed_prefixes)
    if storage.is_remote(uri):
        return None
    try:
        path = Path(storage.absolute_uri(uri))
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb") as stream:
            return path if stream.read(len(FITS_START)) == FITS_START else None
    except (OSError, ValueError):  # reading it whole says why
        return None


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


def _open_fits(file: Path | io.BytesIO, num_bytes: int, rule: DecodeRule) -> WideImage:
    try:
        if num_bytes < FITS_BLOCK_BYTES:
            raise ImageDecodeError("truncated", f"FITS header of {num_bytes} bytes")
        return FitsImage(file, num_bytes, rule)
    except ImageDecodeError:
        raise
    except Exception as error:  # astropy raises nearly every type there is
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> ImageDecodeError:
    return ImageDecodeError(fits_reason(error), f"FITS: {error}")


class FitsImage(WideImage):
    """A FITS image of one band or three.

    Args:
        file: its path, or its bytes.
        num_bytes: how many there are.
        rule: the bands and the stretch.

    Raises:
        ImageDecodeError: see ``images.fits``.
    """

    is_linear = True
    is_upside_down = True

    def __init__(
        self, file: Path | io.BytesIO, num_bytes: int, rule: DecodeRule
    ) -> None:
        from astropy.io import fits

        harden_astropy()
        self._rule = rule
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._hdus = fits.open(
                file,
                memmap=isinstance(file, Path),
                lazy_load_hdus=True,
                do_not_scale_image_data=True,  # else all of it is read and scaled
                disable_image_compression=True,  # tiles are checked first
            )
            try:
                self._bands = _checked_bands(self._hdus, num_bytes, rule)
            except BaseException:
                self._hdus.close()
                raise
            header = self._bands[0].hdu.header
            self.height, self.width = self._bands[0].shape
            self.saturation = _positive(header.get("SATURATE"))
            self.wcs = celestial_wcs(header, (self.height, self.width))

    def read(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Read a region; see ``WideImage``."""
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                planes = [_section(band, rows, columns) for band in self._bands]
                stacked = np.stack(planes).astype(np.float32)
        except Exception as error:  # a damaged tile; astropy raises every type
            raise _unreadable(error) from error
        stacked[~np.isfinite(stacked)] = np.nan
        return stacked

    def to_rgb(self, planes: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Stretch fluxes as in training, and turn them up; see ``WideImage``."""
        return to_picture(list(planes), self._rule)

    def close(self) -> None:
        """Give up the file."""
        self._hdus.close()


def _checked_bands(hdus: Any, num_bytes: int, rule: DecodeRule) -> list[Band]:
    bands = choose_bands(list_bands(islice(hdus, MAX_HDUS)), rule.fits_bands)
    check_bands(bands, num_bytes, MAX_FITS_PIXELS)
    return bands


def _section(band: Band, rows: slice, columns: slice) -> NDArray[Any]:
    leading = band.hdu.shape[:-2]
    plane = np.unravel_index(band.plane, leading) if leading else ()
    region = (*map(int, plane), rows, columns)
    if band.stored is not band.hdu:
        return np.asarray(band.hdu.section[region])  # unpacks the tiles it needs
    # A section of a plain image is read row by row, in Python: 50 times slower.
    return _scaled(band.hdu.data[region], band.hdu.header)


def _scaled(stored: NDArray[Any], header: Any) -> NDArray[Any]:
    """Turn stored numbers into fluxes, as the FITS standard has it."""
    values = header.get("BZERO", 0) + header.get("BSCALE", 1) * stored.astype(
        np.float64
    )
    if stored.dtype.kind != "f" and "BLANK" in header:
        values[stored == header["BLANK"]] = np.nan
    return np.asarray(values)


def _positive(value: object) -> float | None:
    if isinstance(value, int | float) and 0 < value < np.inf:
        return float(value)
    return None


def celestial_wcs(header: Any, shape: tuple[int, int]) -> Any | None:
    """Take the sky coordinates out of a FITS header.

    Args:
        header: an ``astropy.io.fits.Header``.
        shape: rows and columns of the image.

    Returns:
        A celestial ``astropy.wcs.WCS``; None if the header has none, or one that
        leads from the image's middle to nowhere, or from all of it to a point or line.
    """
    from astropy.wcs import WCS

    try:
        wcs = WCS(header)
        if not wcs.has_celestial:
            return None
        wcs = wcs.celestial
        middle = wcs.all_pix2world((shape[1] - 1) / 2, (shape[0] - 1) / 2, 0)
        area = abs(np.linalg.det(wcs.pixel_scale_matrix))
    except Exception:  # wcslib and numpy raise many types of errors
        return None
    return wcs if np.isfinite(middle).all() and area > 0 else None
