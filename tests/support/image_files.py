"""Image files that several tests make, whole and broken."""

import io
import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image

from galaxy_models.errors import ImageDecodeError
from galaxy_models.images.decode import DecodeRule, decode_image
from galaxy_models.simulation import draw_galaxy

RULE = DecodeRule(32)
HTML = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def noise_picture(size: int = 96) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)


def failure(data: bytes) -> ImageDecodeError:
    with pytest.raises(ImageDecodeError) as caught:
        decode_image(data, RULE)
    return caught.value


@cache
def galaxy(label: str = "spiral", side: int = 424) -> Image.Image:
    return Image.fromarray(draw_galaxy(label, side, np.random.default_rng(7)))


def png_with_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(name + content)
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", checksum)
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")


def with_size(data: bytes, width: int, height: int) -> bytes:
    """A JPEG whose header claims another size."""
    start = data.index(b"\xff\xc0") + 5
    return data[:start] + struct.pack(">HH", height, width) + data[start + 4 :]


def fits_file(*hdus: Any) -> bytes:
    """A FITS file of some HDUs; pictures become images, the first the primary one."""
    made = [hdus[0] if hasattr(hdus[0], "header") else fits.PrimaryHDU(hdus[0])]
    made += [hdu if hasattr(hdu, "header") else fits.ImageHDU(hdu) for hdu in hdus[1:]]
    stream = io.BytesIO()
    fits.HDUList(made).writeto(stream, output_verify="silentfix")
    return stream.getvalue()


def fluxes(bands: int = 3, side: int = 40) -> NDArray[Any]:
    """A round, coloured galaxy on noise of 0.02, in nanomaggies, say."""
    y, x = np.mgrid[0:side, 0:side] - (side - 1) / 2
    light = np.exp(-np.hypot(x, y) / (side / 8))
    noise = np.random.default_rng(5).normal(0, 0.02, (bands, side, side))
    return np.asarray(
        light * np.arange(1, bands + 1)[:, None, None] + noise, np.float32
    )


def tiles_file(
    pixels: NDArray[Any], compression: str = "RICE_1", **header: Any
) -> bytes:
    """A FITS file in compressed tiles, with some cards of its table replaced."""
    image = fits.CompImageHDU(pixels, compression_type=compression, name="IMAGE")
    data = fits_file(fits.PrimaryHDU(), image)
    with fits.open(io.BytesIO(data), disable_image_compression=True) as hdus:
        for key, value in header.items():
            hdus[1].header[key] = value
        block = bytes(hdus[1].header.tostring(), "ascii")
        place: dict[str, int] = hdus[1].fileinfo()
    return data[: place["hdrLoc"]] + block + data[place["datLoc"] :]
