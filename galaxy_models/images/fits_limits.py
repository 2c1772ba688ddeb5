"""Compressed FITS: limits on the decompressed size, enforced in astropy's decoders.

The C code that astropy unpacks Rice tiles with (cfitsio's, in astropy 8.0) reads on
behind a damaged tile until it meets a byte that is not zero, and so takes the process
down; it trusts the header's block size, pixel size and random seed; a gzip tile may
unpack to any size. This module knows neither images nor bands.
"""

import gzip
import io
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from galaxy_models.errors import ImageDecodeError

COMPRESSIONS = ("RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2")
MAX_TILES = 65_536  # each costs some 10 µs
MAX_TILE_PIXELS = 4_194_304  # astropy loses a Rice tile's memory where it is damaged
MAX_BYTES_A_PIXEL = 8
RICE_BLOCK_SIZES = (16, 32)  # px
RICE_PIXEL_SIZES = (1, 2, 4)  # bytes
RICE_SENTINEL = b"\xff" * 1024  # a block of 32 px takes 132 of these at most
MAX_DITHER_SEED = 10_000  # as the FITS standard has it

DecompressRice = Callable[[Any, int, int, int], bytes]


def gunzip(data: bytes, max_bytes: int) -> bytes:
    """Unpack gzip, but no more than it may be.

    Raises:
        ImageDecodeError: reason ``too_large`` or ``truncated``.
        OSError, zlib.error: the stream is damaged.
    """
    try:
        unpacked = gzip.GzipFile(fileobj=io.BytesIO(data)).read(max_bytes + 1)
    except EOFError as error:
        raise ImageDecodeError("truncated", f"gzip of {len(data)} bytes") from error
    if len(unpacked) > max_bytes:
        raise ImageDecodeError(
            "too_large", f"gzip of {len(data)} bytes, over {max_bytes} when unpacked"
        )
    return unpacked


def check_tiles(header: Any) -> None:
    """Refuse a compressed image that its header shows to be harmful.

    Args:
        header: ``astropy.io.fits.Header`` of the table of tiles.

    Raises:
        ImageDecodeError: reason ``unreadable`` or ``too_large``.
        KeyError, TypeError: it lacks what such a header must say.
    """
    if header["ZCMPTYPE"] not in COMPRESSIONS:
        raise ImageDecodeError(
            "unreadable",
            f"FITS compressed with {header['ZCMPTYPE']}, not {COMPRESSIONS}",
        )
    axes = range(1, header["ZNAXIS"] + 1)
    sides = [header[f"ZNAXIS{axis}"] for axis in axes]
    tile = [header[f"ZTILE{axis}"] for axis in axes]
    if min(*sides, *tile) < 1:
        raise ImageDecodeError("unreadable", f"FITS of {sides} px in tiles of {tile}")
    num_tiles = math.prod(
        -(-side // part) for side, part in zip(sides, tile, strict=True)
    )
    tile_pixels = math.prod(map(min, sides, tile))
    if num_tiles > MAX_TILES or tile_pixels > MAX_TILE_PIXELS:
        raise ImageDecodeError(
            "too_large", f"FITS of {num_tiles} tiles of {tile_pixels} pixels"
        )
    if not 0 <= header.get("ZDITHER0", 0) <= MAX_DITHER_SEED:
        raise ImageDecodeError("unreadable", f"FITS with ZDITHER0 {header['ZDITHER0']}")


@lru_cache(maxsize=1)
def harden_astropy() -> None:
    """Put bounds around astropy's decoders of tiles, in this process, once."""
    from astropy.io.fits.hdu.compressed import _codecs

    _codecs.decompress_rice_1_c = _bounded_rice(_codecs.decompress_rice_1_c)
    _codecs.gzip_decompress = _unpack_gzip_tile


def _bounded_rice(decompress: DecompressRice) -> DecompressRice:
    def decompress_rice(
        data: bytes, block_size: int, pixel_size: int, num_pixels: int
    ) -> bytes:
        if block_size not in RICE_BLOCK_SIZES or pixel_size not in RICE_PIXEL_SIZES:
            raise ValueError(f"Rice blocks of {block_size} × {pixel_size} bytes")
        # What is read behind the end is the sentinel, and ends the block's bits.
        padded = np.frombuffer(data + RICE_SENTINEL, np.uint8)
        return decompress(padded[: len(data)], block_size, pixel_size, num_pixels)

    return decompress_rice


def _unpack_gzip_tile(data: bytes) -> bytes:
    return gunzip(data, MAX_TILE_PIXELS * MAX_BYTES_A_PIXEL)
