"""FITS images of any size, read as far as a region needs; their WCS.

It knows one file that is at hand; where files lie, ``wide`` knows.
"""

import io
import mmap
import warnings
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.errors import ImageDecodeError
from galaxy_models.images.fits import (
    FITS_BLOCK_BYTES,
    MAX_HDUS,
    Band,
    check_bands,
    choose_bands,
    fits_reason,
    list_bands,
    to_picture,
)
from galaxy_models.images.fits_limits import harden_astropy
from galaxy_models.images.wide_image import WideImage

MAX_FITS_PIXELS = 2**32  # of all bands; only regions of it are ever in memory


def open_fits(file: Path | io.BytesIO, num_bytes: int, rule: DecodeRule) -> "FitsImage":
    """Open a FITS image; only headers are read.

    Args:
        file: its path, or its bytes.
        num_bytes: how many there are.
        rule: the bands and the stretch.

    Raises:
        ImageDecodeError: see ``images.fits``.
    """
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
                planes = np.stack(
                    [_section(band, rows, columns) for band in self._bands]
                )
        except Exception as error:  # a damaged tile; astropy raises every type
            raise _unreadable(error) from error
        is_known = np.isfinite(planes)
        if not is_known.all():
            planes[~is_known] = np.nan
        return planes

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


def _section(band: Band, rows: slice, columns: slice) -> NDArray[np.float32]:
    leading = band.hdu.shape[:-2]
    plane = np.unravel_index(band.plane, leading) if leading else ()
    region = (*map(int, plane), rows, columns)
    if band.stored is not band.hdu:
        unpacked = band.hdu.section[region]  # of the tiles it needs
        return np.asarray(unpacked, np.float32)
    # A section of a plain image is read row by row, in Python: 50 times slower.
    scaled = _scaled(band.hdu.data[region], band.hdu.header)
    _let_go(band.hdu.data)
    return scaled


def _let_go(stored: NDArray[Any]) -> None:
    """Drop the pages of a mapped file, which is read again where it is needed again.

    Else all of it that was ever read counts as this process's memory.
    """
    owner: Any = stored
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, memoryview):
        owner = owner.obj
    if isinstance(owner, mmap.mmap):
        owner.madvise(mmap.MADV_DONTNEED)


def _scaled(stored: NDArray[Any], header: Any) -> NDArray[np.float32]:
    """Turn stored numbers into fluxes, as the FITS standard has it."""
    zero, scale = header.get("BZERO", 0), header.get("BSCALE", 1)
    is_float = stored.dtype.kind == "f"
    if is_float and (zero, scale) == (0, 1):  # as most are; a third of the time
        return stored.astype(np.float32)
    values = zero + scale * stored.astype(np.float64)
    if not is_float and "BLANK" in header:
        values[stored == header["BLANK"]] = np.nan
    return np.asarray(values, np.float32)


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
