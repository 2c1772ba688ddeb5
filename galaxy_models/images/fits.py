"""FITS cutouts -> uint8 RGB; the only module that knows FITS images.

Fluxes become colours by Lupton et al. 2004 (PASP 116, 133). Sizes are checked in
headers, before any pixel is read. This module knows nothing of catalogs, networks or
Ray; astropy is imported with the first FITS file, since most catalogs have none.
"""

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from galaxy_models.config.decode_rule import (
    MAX_IMAGE_BYTES,
    MAX_IMAGE_PIXELS,
    DecodeRule,
)
from galaxy_models.errors import FailureReason, ImageDecodeError
from galaxy_models.images.fits_limits import check_tiles, gunzip, harden_astropy

FITS_START = b"SIMPLE  ="
HEADER_END = b"END".ljust(80)
FITS_BLOCK_BYTES = 2880
GZIP_START = b"\x1f\x8b"
MAX_HDUS = 100  # a cutout has a handful
COLOURS = 3
ROWS_PER_STRIP = 256  # so that floats of a large image never stand in memory at once
MAX_FLUX = 1e15  # in units of the stretch; far beyond white, and safe from overflow


class Band(NamedTuple):
    """One picture of a FITS file."""

    name: str
    hdu: Any
    plane: int
    """Index on the first axis of a cube; 0 of a picture."""

    stored: Any
    """The HDU as it lies in the file: ``hdu`` itself, or its table of tiles."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        height, width = self.hdu.shape[-2:]
        return height, width


def is_fits(data: bytes) -> bool:
    """Whether a file begins as FITS does, or as gzip, in which only FITS may come."""
    return data.startswith((FITS_START, GZIP_START))


def decode_fits(data: bytes, rule: DecodeRule) -> NDArray[np.uint8]:
    """Turn a FITS image into a picture.

    The bands are the planes of the first image that has pixels if that is a cube
    (named by the header's BAND0, BAND1, …), else that image and all further ones
    (named by EXTNAME). ``rule.fits_bands`` picks three, red first, or one, which gives
    grey. FITS rows go upward, so the last one becomes the picture's top: north is up
    where it is in every viewer of FITS.

    With I the mean of the bands, each is multiplied by asinh(Q I / stretch) / I and
    scaled so that brightness grows linearly up to about ``rule.fits_stretch``; what is
    too bright keeps its colour. Negative fluxes are black. A pixel that is NaN or
    infinite in any band is black in all.

    Args:
        data: a FITS file, also gzipped or in compressed tiles (Rice or gzip).
        rule: the bands, the stretch and Q.

    Returns:
        uint8, shape (height, width, 3), rows from the top.

    Raises:
        ImageDecodeError: reason ``not_an_image`` (a table, say), ``truncated``,
            ``too_large`` or ``unreadable``.
    """
    with _in_words(data):
        return to_picture(read_planes(data, rule.fits_bands), rule)


@contextmanager
def _in_words(data: bytes) -> Iterator[None]:
    """Turn whatever is raised of a file into an ``ImageDecodeError``."""
    try:
        yield
    except ImageDecodeError:
        raise
    except Exception as error:  # astropy raises nearly every type there is
        raise ImageDecodeError(
            fits_reason(error), f"FITS of {len(data)} bytes: {error}"
        ) from error


def fits_reason(error: Exception) -> FailureReason:
    """Say what one of astropy's errors means."""
    if isinstance(error, MemoryError):
        return "too_large"
    return "truncated" if "missing END card" in str(error) else "unreadable"


def read_planes(data: bytes, wanted: tuple[str, ...]) -> list[NDArray[Any]]:
    """Read the pixels of a FITS image's bands.

    Args:
        data: as for ``decode_fits``.
        wanted: names or numbers of bands; empty: those that ``decode_fits`` shows.

    Returns:
        Fluxes, each of shape (height, width), rows from the bottom; red first.

    Raises:
        ImageDecodeError: as for ``decode_fits``.
    """
    with _in_words(data):
        if data.startswith(GZIP_START):
            data = gunzip(data, MAX_IMAGE_BYTES)
        if not data.startswith(FITS_START):
            raise ImageDecodeError("not_an_image", "gzip of something that is not FITS")
        if len(data) < FITS_BLOCK_BYTES or HEADER_END not in data:
            raise ImageDecodeError("truncated", f"FITS header of {len(data)} bytes")
        return _read_planes(data, wanted)


def _read_planes(data: bytes, wanted: tuple[str, ...]) -> list[NDArray[Any]]:
    from astropy.io import fits

    harden_astropy()
    with fits.open(
        io.BytesIO(data),
        memmap=False,
        lazy_load_hdus=True,
        disable_image_compression=True,  # tiles are checked first
    ) as hdus:
        bands = choose_bands(list_bands(islice(hdus, MAX_HDUS)), wanted)
        check_bands(bands, len(data), MAX_IMAGE_PIXELS)
        return [
            np.asarray(band.hdu.data).reshape(-1, *band.shape)[band.plane]
            for band in bands
        ]


def list_bands(hdus: Iterator[Any]) -> list[Band]:
    """List the pictures of a file; reads no pixel.

    Raises:
        ImageDecodeError: reason ``not_an_image``: there is none.
    """
    images = [image for hdu in hdus if (image := _as_image(hdu)) is not None]
    if not images:
        raise ImageDecodeError("not_an_image", "FITS without an image, a table maybe")
    first = images[0]
    num_planes = math.prod(first.hdu.shape[:-2])
    if num_planes == 1:
        return [image for image in images if math.prod(image.hdu.shape[:-2]) == 1]
    names = (str(first.hdu.header.get(f"BAND{i}", "")) for i in range(num_planes))
    return [first._replace(name=name, plane=i) for i, name in enumerate(names)]


def _as_image(hdu: Any) -> Band | None:
    """Describe an HDU if it holds pixels in two dimensions or more; reads none."""
    from astropy.io import fits

    stored = hdu
    if isinstance(hdu, fits.BinTableHDU) and hdu.header.get("ZIMAGE"):
        hdu = fits.CompImageHDU(bintable=hdu)
    is_image = isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU)
    if not is_image or isinstance(hdu, fits.GroupsHDU):
        return None
    if len(hdu.shape) < 2 or math.prod(hdu.shape) == 0:
        return None
    return Band(hdu.name, hdu, 0, stored)


def choose_bands(bands: list[Band], wanted: tuple[str, ...]) -> list[Band]:
    """Pick the bands that ``decode_fits`` shows, red first.

    Raises:
        ImageDecodeError: reason ``unreadable``: there is no such band.
    """
    if wanted:
        return [_find_band(bands, name) for name in wanted]
    if bands[-1].plane == 0:  # pictures, not a cube: others may be weights or masks
        return bands[:1]
    if len(bands) == COLOURS:
        return bands[::-1]
    raise ImageDecodeError(
        "unreadable", f"FITS cube of {len(bands)} bands; pick some with --fits-bands"
    )


def _find_band(bands: list[Band], name: str) -> Band:
    for band in bands:
        if band.name.strip().casefold() == name.casefold():
            return band
    if name.isdecimal() and int(name) < len(bands):
        return bands[int(name)]
    listed = ", ".join(band.name or str(i) for i, band in enumerate(bands))
    raise ImageDecodeError("unreadable", f"FITS without a band {name}; it has {listed}")


def check_bands(bands: list[Band], num_bytes: int, max_pixels: int) -> None:
    """Refuse what is too large, too short or does not fit together; reads no pixel.

    Args:
        bands: of one file.
        num_bytes: of that file.
        max_pixels: of the bands' images together.

    Raises:
        ImageDecodeError: reason ``too_large``, ``truncated`` or ``unreadable``.
    """
    images = {id(band.hdu): band for band in bands}.values()
    if sum(math.prod(image.hdu.shape) for image in images) > max_pixels:
        sides = "×".join(map(str, reversed(bands[0].hdu.shape)))
        raise ImageDecodeError("too_large", f"{sides} px, over {max_pixels} pixels")
    for image in images:
        stored = image.stored
        if stored is not image.hdu:
            check_tiles(stored.header)
        if stored.fileinfo()["datLoc"] + stored.size > num_bytes:
            raise ImageDecodeError("truncated", f"FITS of {num_bytes} bytes")
    shapes = {band.shape for band in bands}
    if len(shapes) > 1:
        raise ImageDecodeError("unreadable", f"FITS bands of shapes {sorted(shapes)}")


def to_picture(planes: list[NDArray[Any]], rule: DecodeRule) -> NDArray[np.uint8]:
    """Stretch one or three planes of fluxes, a strip of rows at a time.

    Args:
        planes: each of shape (height, width), rows from the bottom; red first.
        rule: the stretch and Q.

    Returns:
        uint8, shape (height, width, 3), rows from the top.

    Raises:
        ImageDecodeError: reason ``unreadable``: no pixel is finite.
    """
    from astropy.visualization import make_lupton_rgb

    height, width = planes[0].shape
    picture = np.empty((height, width, COLOURS), np.uint8)
    has_pixels = False
    for start in range(0, height, ROWS_PER_STRIP):
        rows = slice(start, start + ROWS_PER_STRIP)
        with np.errstate(all="ignore"):
            strip = np.stack([plane[rows] for plane in planes])
            is_good = np.isfinite(strip).all(axis=0)
            strip = np.divide(strip, rule.fits_stretch, dtype=np.float64)
            strip = np.where(is_good, strip.clip(-MAX_FLUX, MAX_FLUX), 0)
            colours = np.broadcast_to(np.float32(strip), (COLOURS, *strip.shape[1:]))
            picture[rows] = make_lupton_rgb(*colours, stretch=1, Q=rule.fits_q)
        has_pixels = has_pixels or bool(is_good.any())
    if not has_pixels:
        raise ImageDecodeError("unreadable", "FITS without a single finite pixel")
    return picture[::-1]
