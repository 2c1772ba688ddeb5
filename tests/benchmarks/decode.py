"""How fast, and how close to Pillow at full quality, ways of decoding a JPEG are.

    python tests/benchmarks/decode.py [--images FOLDER] [--model MODEL_FOLDER]
        [--json FILE]

Prints a table: images a second of one thread's CPU time (the median of alternating
rounds; other work on the machine hardly disturbs it), and the distance from Pillow's
full decode and resize in grey levels (mean over all images, and the largest of any
pixel). With a model folder it adds the share of galaxies that the model puts into the
same class whether Pillow or the project decoded them, at the model's own image size;
and, to judge it by, the share that Pillow's own pixels keep when three in ten of them
are moved by one grey level. Without a folder of JPEGs it draws galaxies of 424 px.
"""

import io
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray
from PIL import Image

from galaxy_models.images.decode import DecodeRule, decode_image
from galaxy_models.models.folder import load_model, read_card
from galaxy_models.simulation import CLASSES, draw_galaxy

Decoder = Callable[[bytes, DecodeRule], NDArray[np.uint8]]

IMAGE_SIZES_PX = (224, 160, 128)
CUTOUT_SIZE_PX = 424  # Galaxy Zoo 2's
NUM_DRAWN = 100
PREDICT_BATCH_SIZE = 64


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
    side = min(image.size) * rule.crop_fraction
    left, top = (image.width - side) / 2, (image.height - side) / 2
    square = image.resize(
        (rule.image_size, rule.image_size),
        Image.Resampling.BILINEAR,
        box=(left, top, left + side, top + side),
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


def images_per_s(files: list[bytes], rule: DecodeRule, rounds: int) -> dict[str, float]:
    """Median speed of every decoder; they alternate, so that all share bad moments."""
    speeds: dict[str, list[float]] = {name: [] for name in DECODERS}
    for _ in range(rounds):
        for name, decoder in DECODERS.items():
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
    """A row for every size and decoder."""
    timed = files[:: max(1, len(files) // settings.num_timed)]
    for image_size in IMAGE_SIZES_PX:
        rule = DecodeRule(image_size)
        speeds = images_per_s(timed, rule, settings.rounds)
        for name, decoder in DECODERS.items():
            mean, largest = distance(decoder, timed, rule)
            yield {
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
    sys.stdout.write("size  decoder        images/s  mean diff  max diff\n")
    for row in rows:
        sys.stdout.write(
            "{image_size:4}  {decoder:13}  {images_per_s:8}  {mean_difference:9}  "
            "{max_difference:8}\n".format(**row)
        )
    if settings.model:
        report["agreement"] = agreement(files, settings.model)
        sys.stdout.write(f"{report['agreement']}\n")
    if settings.json:
        settings.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Settings))
