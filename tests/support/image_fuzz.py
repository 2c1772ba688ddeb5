"""Mutate image files and decode them, with bounded memory, for some seconds.

    python tests/support/image_fuzz.py --seconds 600 --seed 1 --last-input last.bin

A file that takes the process down is left in ``--last-input``.
"""

import argparse
import faulthandler
import gzip
import random
import resource
import time
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
from image_files import encoded, fits_file, fluxes, noise_picture, tiles_file
from PIL import Image

from galaxy_models.errors import FailureReason, ImageDecodeError
from galaxy_models.images.decode import DecodeRule, decode_image

RULE = DecodeRule(16)
SIDE = 24
MAX_SECONDS = 10.0  # a file; the slowest honest one takes 0.1 s
MAX_EXTRA_BYTES = 1 << 30  # address space beyond what the process starts with
EDITS = ("flip", "number", "digit", "cut", "drop", "insert", "zero", "splice")
NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


class Edit(NamedTuple):
    """One thing that is done to a file; every number is valid for every file."""

    kind: str
    place: float
    """Where, as a share of the file's length."""

    value: int
    """What to write, or how much to cut; 0 to 2³² - 1."""


@cache
def seeds() -> tuple[bytes, ...]:
    """A small file of every kind."""
    picture = Image.fromarray(noise_picture(SIDE))
    grey = picture.convert("L")
    deep = Image.fromarray(noise_picture(SIDE)[..., 0].astype(np.uint16) * 257)
    cube = fluxes(3, SIDE)
    whole = (cube * 100).astype(np.int32)
    raster = [
        encoded(picture, "JPEG"),
        encoded(picture, "JPEG", progressive=True),
        encoded(picture.convert("CMYK"), "JPEG"),
        encoded(picture, "PNG"),
        encoded(picture.quantize(16), "PNG"),
        encoded(deep, "PNG"),
        encoded(picture, "WEBP"),
        encoded(picture, "WEBP", lossless=True),
        encoded(picture, "WEBP", save_all=True, append_images=[picture.rotate(90)]),
        *(
            encoded(image, "TIFF", compression=compression)
            for image in (picture, deep, grey)
            for compression in ("raw", "tiff_lzw", "tiff_deflate", "packbits")
        ),
        encoded(picture, "TIFF", compression="jpeg"),
        encoded(grey.convert("1"), "TIFF", compression="group4"),
    ]
    plain = [fits_file(cube), fits_file(whole[0].astype("i2")), fits_file(*cube)]
    tiles = [
        tiles_file(cube),
        tiles_file(np.zeros_like(cube)),  # which is kept in gzip
        *(tiles_file(whole.astype(dtype)) for dtype in ("u1", "i2", "i4")),
        *(tiles_file(whole, name) for name in ("GZIP_1", "GZIP_2", "HCOMPRESS_1")),
    ]
    return (*raster, *plain, *tiles, gzip.compress(plain[0]))


def mutate(data: bytes, edits: list[Edit], other: bytes) -> bytes:
    """Do some edits, one after the other; splices take from the other file."""
    changed = bytearray(data)
    for kind, place, value in edits:
        at = int(place * len(changed))
        length = 1 + value % 64
        if kind == "flip" and changed:
            changed[at] ^= 1 << value % 8
        elif kind == "number":
            size, order = 2 + 2 * (value % 2), "big" if value & 2 else "little"
            number = NUMBERS[value // 4 % len(NUMBERS)] % 256**size
            changed[at : at + size] = number.to_bytes(size, order)
        elif kind == "digit":
            _change_digit(changed, at, value)
        elif kind == "cut":
            del changed[at:]
        elif kind == "drop":
            del changed[at : at + length]
        elif kind == "insert":
            changed[at:at] = value.to_bytes(4, "big") * (length // 4 + 1)
        elif kind == "zero":
            changed[at : at + 16 * length] = bytes(16 * length)
        elif kind == "splice":
            changed[at:] = other[int(place * len(other)) :]
    return bytes(changed)


def _change_digit(data: bytearray, start: int, value: int) -> None:
    """Change the next digit, of which FITS headers are full."""
    for at in range(start, len(data)):
        if chr(data[at]).isdecimal():
            data[at] = ord("0") + value % 10
            return


def check(data: bytes) -> str:
    """Decode a file; tell how it ended.

    Raises:
        AssertionError: it ended in another way than pixels or a known reason.
    """
    started_s = time.process_time()
    try:
        square = decode_image(data, RULE)
        assert square.shape == (16, 16, 3)
        assert square.dtype == np.uint8
        ending = "decoded"
    except ImageDecodeError as error:
        assert error.reason in get_args(FailureReason)
        assert str(error).isprintable()
        ending = error.reason
    assert time.process_time() - started_s < MAX_SECONDS
    return ending


def random_case(dice: random.Random) -> bytes:
    """A mutated file; gzipped now and then, so that the inner file is reached."""
    edits = [
        Edit(
            dice.choice(EDITS),
            dice.random() ** dice.choice((1, 3)),
            dice.getrandbits(32),
        )
        for _ in range(dice.choice((1, 1, 2, 3, 8)))
    ]
    data = mutate(dice.choice(seeds()), edits, dice.choice(seeds()))
    if dice.random() < 0.02:
        data = gzip.compress(data, 1)
    return data


def main() -> None:
    """Fuzz until the time is up; print how the files ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--last-input", type=Path, required=True)
    options = parser.parse_args()
    faulthandler.enable()
    dice = random.Random(options.seed)
    for data in seeds():
        check(data)  # imports what there is to import
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MAX_EXTRA_BYTES,) * 2)
    endings: Counter[str] = Counter()
    until_s = time.monotonic() + options.seconds
    while time.monotonic() < until_s:
        data = random_case(dice)
        options.last_input.write_bytes(data)
        endings[check(data)] += 1
    print(f"{endings.total()} files: {dict(endings)}")  # noqa: T201


if __name__ == "__main__":
    main()
