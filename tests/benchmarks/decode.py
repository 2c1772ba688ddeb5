"""How fast, and how close to Pillow at full quality, ways of decoding a JPEG are.

    python tests/benchmarks/decode.py [--images FOLDER] [--model MODEL_FOLDER]
        [--turbojpeg LIBRARY] [--json FILE]

Prints a table: images a second of one thread's CPU time (the median of alternating
rounds; other work on the machine hardly disturbs it), and the distance from Pillow's
full decode and resize in grey levels (mean over all images, and the largest of any
pixel). With a model folder it adds the share of galaxies that the model puts into the
same class whether Pillow or the project decoded them, at the model's own image size;
and, to judge it by, the share that Pillow's own pixels keep when three in ten of them
are moved by one grey level. Without a folder of JPEGs it draws galaxies of 424 px.
With the shared library of libjpeg-turbo 3 it adds what decoding only the region inside
the crop would bring, which no package that brings this library offers.
"""

import ctypes
import io
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray
from PIL import Image

from galaxy_models.images.decode import (
    DIVIDED_BLUR,
    DecodeRule,
    decode_image,
    libjpeg_divisor,
)
from galaxy_models.images.resize import central_square, resize_square
from galaxy_models.models.folder import load_model, read_card
from galaxy_models.simulation import CLASSES, draw_galaxy

Decoder = Callable[[bytes, DecodeRule], NDArray[np.uint8]]

IMAGE_SIZES_PX = (224, 160, 128, 96)
CUTOUT_SIZE_PX = 424  # Galaxy Zoo 2's
NUM_DRAWN = 100
PREDICT_BATCH_SIZE = 64

TJ_DECOMPRESS, TJ_STOP_ON_WARNING, TJ_WIDTH_HEIGHT = 1, 0, (5, 6)  # turbojpeg.h
REGION_SPARE_PX = 4  # what filters and the smoothing of colours reach


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the benchmark is told."""

    images: Path | None = None
    """Folder of JPEGs; made-up galaxies if left out."""

    model: str | None = None
    """Model folder whose predicted classes are compared."""

    num_timed: int = 200
    """Images that a round decodes, spread over the folder."""

    rounds: int = 7
    """Rounds; in each every decoder has its turn."""

    crop_fractions: tuple[float, ...] = (1.0, 0.55)
    """Central fractions of the shorter side."""

    turbojpeg: Path | None = None
    """libturbojpeg.so of libjpeg-turbo 3, for the decoder of regions."""

    json: Path | None = None
    """File for the same figures."""


def pillow_full(data: bytes, rule: DecodeRule) -> NDArray[np.uint8]:
    """Pillow: every pixel decoded, then its antialiased bilinear resize."""
    return _resize_centre(Image.open(io.BytesIO(data)).convert("RGB"), rule)


def pillow_draft(data: bytes, rule: DecodeRule) -> NDArray[np.uint8]:
    """Pillow: scaled by libjpeg while decoding, then the same resize."""
    image = Image.open(io.BytesIO(data))
    smallest = int(np.ceil(rule.image_size / rule.crop_fraction))
    image.draft("RGB", (smallest, smallest))
    return _resize_centre(image.convert("RGB"), rule)


def _resize_centre(image: Image.Image, rule: DecodeRule) -> NDArray[np.uint8]:
    square = image.resize(
        (rule.image_size, rule.image_size),
        Image.Resampling.BILINEAR,
        box=central_square(image.size, rule.crop_fraction),
    )
    return np.asarray(square)


def opencv_linear(data: bytes, rule: DecodeRule) -> NDArray[np.uint8]:
    """OpenCV: decode and linear resize, which does not antialias."""
    return _opencv(data, rule, cv2.INTER_LINEAR)


def opencv_area(data: bytes, rule: DecodeRule) -> NDArray[np.uint8]:
    """OpenCV: decode and area resize."""
    return _opencv(data, rule, cv2.INTER_AREA)


def _opencv(data: bytes, rule: DecodeRule, filter_: int) -> NDArray[np.uint8]:
    pixels = np.asarray(
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8
    )
    side = round(min(pixels.shape[:2]) * rule.crop_fraction)
    y, x = ((length - side) // 2 for length in pixels.shape[:2])
    square = cv2.resize(
        pixels[y : y + side, x : x + side],
        (rule.image_size, rule.image_size),
        interpolation=filter_,
    )
    return np.asarray(cv2.cvtColor(square, cv2.COLOR_BGR2RGB))


class _ScalingFactor(ctypes.Structure):
    _fields_ = (("num", ctypes.c_int), ("denom", ctypes.c_int))


class _Region(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int) for name in ("x", "y", "width", "height"))


class RegionDecoder:
    """libjpeg-turbo: scaled as ``decode_image`` does, but only what the crop needs."""

    def __init__(self, library: Path) -> None:
        """Open libturbojpeg.so; one decoder serves all images."""
        self._calls = ctypes.CDLL(str(library))
        self._calls.tj3Init.restype = ctypes.c_void_p
        self._handle = ctypes.c_void_p(self._calls.tj3Init(TJ_DECOMPRESS))
        self._call("tj3Set", TJ_STOP_ON_WARNING, 1)

    def __call__(self, data: bytes, rule: DecodeRule) -> NDArray[np.uint8]:
        """Decode a JPEG in 4:2:0, whose blocks of colour are 16 px wide."""
        file = (data, ctypes.c_size_t(len(data)))
        self._call("tj3DecompressHeader", *file)
        sides = [self._calls.tj3Get(self._handle, what) for what in TJ_WIDTH_HEIGHT]
        divisor = libjpeg_divisor(min(sides) * rule.crop_fraction, rule.image_size)
        width, height = (side / divisor for side in sides)
        box = central_square((width, height), rule.crop_fraction)
        left, top, right, lower = (
            math.floor(box[0] - REGION_SPARE_PX) * divisor // 16 * 16 // divisor,
            math.floor(box[1] - REGION_SPARE_PX),
            math.ceil(min(box[2] + REGION_SPARE_PX, width)),
            math.ceil(min(box[3] + REGION_SPARE_PX, height)),
        )
        left, top = max(left, 0), max(top, 0)
        region = _Region(left, top, right - left, lower - top)
        pixels = np.empty((region.height, region.width, 3), np.uint8)
        self._call("tj3SetScalingFactor", _ScalingFactor(1, divisor))
        self._call("tj3SetCroppingRegion", region)
        self._call("tj3Decompress8", *file, ctypes.c_void_p(pixels.ctypes.data), 0, 0)
        self._call("tj3SetCroppingRegion", _Region(0, 0, 0, 0))
        square = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
        blur = DIVIDED_BLUR * (divisor > 1)
        return resize_square(pixels, square, rule.image_size, blur)

    def _call(self, name: str, *arguments: object) -> None:
        if getattr(self._calls, name)(self._handle, *arguments) != 0:
            raise ValueError(f"{name} failed; is it the library of libjpeg-turbo 3?")


DECODERS: dict[str, Decoder] = {
    "Pillow full": pillow_full,
    "Pillow draft": pillow_draft,
    "OpenCV linear": opencv_linear,
    "OpenCV area": opencv_area,
    "decode_image": decode_image,
}


def read_files(folder: Path | None) -> list[bytes]:
    """A folder's JPEGs, or drawn ones; bytes in memory, so that no disk is timed."""
    if folder is not None:
        return [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]
    rng = np.random.default_rng(0)
    return [_draw_jpeg(CLASSES[i % len(CLASSES)], rng) for i in range(NUM_DRAWN)]


def _draw_jpeg(label: str, rng: np.random.Generator) -> bytes:
    stream = io.BytesIO()
    pixels = draw_galaxy(label, CUTOUT_SIZE_PX, rng)
    Image.fromarray(pixels).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def images_per_s(
    decoders: dict[str, Decoder], files: list[bytes], rule: DecodeRule, rounds: int
) -> dict[str, float]:
    """Median speed of every decoder; they alternate, so that all share bad moments."""
    speeds: dict[str, list[float]] = {name: [] for name in decoders}
    for _ in range(rounds):
        for name, decoder in decoders.items():
            start = time.thread_time()
            for data in files:
                decoder(data, rule)
            speeds[name].append(len(files) / (time.thread_time() - start))
    return {name: statistics.median(values) for name, values in speeds.items()}


def distance(
    decoder: Decoder, files: Iterable[bytes], rule: DecodeRule
) -> tuple[float, int]:
    """Mean and largest absolute difference from Pillow at full quality."""
    means, largest = [], 0
    for data in files:
        gap = np.abs(decoder(data, rule) - pillow_full(data, rule).astype(int))
        means.append(gap.mean())
        largest = max(largest, int(gap.max()))
    return float(np.mean(means)), largest


def compare(files: list[bytes], settings: Settings) -> Iterator[dict[str, object]]:
    """A row for every crop, size and decoder."""
    timed = files[:: max(1, len(files) // settings.num_timed)]
    decoders = dict(DECODERS)
    if settings.turbojpeg is not None:
        decoders["region"] = RegionDecoder(settings.turbojpeg)
    for crop_fraction, image_size in product(settings.crop_fractions, IMAGE_SIZES_PX):
        rule = DecodeRule(image_size, crop_fraction)
        speeds = images_per_s(decoders, timed, rule, settings.rounds)
        for name, decoder in decoders.items():
            mean, largest = distance(decoder, timed, rule)
            yield {
                "crop_fraction": crop_fraction,
                "image_size": image_size,
                "decoder": name,
                "images_per_s": round(speeds[name], 1),
                "mean_difference": round(mean, 3),
                "max_difference": largest,
            }


def pillow_noisy(data: bytes, rule: DecodeRule) -> NDArray[np.uint8]:
    """Pillow's pixels, three in ten of them one grey level off."""
    pixels = pillow_full(data, rule).astype(int)
    rng = np.random.default_rng(len(data))
    noise = rng.choice([-1, 0, 1], pixels.shape, p=[0.15, 0.7, 0.15])
    return np.asarray(np.clip(pixels + noise, 0, 255), np.uint8)


def agreement(files: list[bytes], model_folder: str) -> dict[str, object]:
    """Share of galaxies whose predicted class does not hang on the decoder."""
    rule = read_card(model_folder).decode_rule
    model = load_model(model_folder)
    by_pillow, by_project, by_noise = (
        np.concatenate(list(_probabilities(model, files, decoder, rule)))
        for decoder in (pillow_full, decode_image, pillow_noisy)
    )
    classes = by_pillow.argmax(axis=1)
    return {
        "image_size": rule.image_size,
        "num_galaxies": len(files),
        "same_class": round(float((by_project.argmax(axis=1) == classes).mean()), 4),
        "mean_probability_gap": round(float(np.abs(by_project - by_pillow).mean()), 4),
        "same_class_under_noise": round(
            float((by_noise.argmax(axis=1) == classes).mean()), 4
        ),
    }


def _probabilities(
    model: Callable[..., object],
    files: list[bytes],
    decoder: Decoder,
    rule: DecodeRule,
) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(files), PREDICT_BATCH_SIZE):
        batch = files[start : start + PREDICT_BATCH_SIZE]
        images = np.stack([decoder(data, rule) for data in batch])
        yield np.asarray(model(images, training=False))


def main(settings: Settings) -> None:
    """Print the table, then the agreement; write both if asked to."""
    cv2.setNumThreads(1)
    files = read_files(settings.images)
    rows = list(compare(files, settings))
    report: dict[str, object] = {"rows": rows}
    sys.stdout.write("crop  size  decoder        images/s  mean diff  max diff\n")
    for row in rows:
        sys.stdout.write(
            "{crop_fraction:4}  {image_size:4}  {decoder:13}  {images_per_s:8}  "
            "{mean_difference:9}  {max_difference:8}\n".format(**row)
        )
    if settings.model:
        report["agreement"] = agreement(files, settings.model)
        sys.stdout.write(f"{report['agreement']}\n")
    if settings.json:
        settings.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Settings))
