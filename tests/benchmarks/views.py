"""What a model makes of the same galaxies at another scale, seeing, noise, colours.

    python tests/benchmarks/views.py --catalog galaxies.csv --model galaxy-zoo

Each view is made of the whole image before anything is cropped or resized, kept without
loss, and decoded as the model's card says; the classes are those of the engine that
scoring on CPUs takes. Out comes a table in Markdown, a row a view: accuracy with its
95 % interval, that of the mean over eight orientations, macro-F1, the mean confidence
less the accuracy, the expected calibration error, and the recall of every class.

By default only galaxies that the model's training held back are looked at, by its
card's --test-fraction.
"""

import dataclasses
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pandas as pd
import tyro
from contest import num_cpus, say, sides_in_training
from framing import framed
from numpy.typing import NDArray
from PIL import Image

from galaxy_models.config import EngineName
from galaxy_models.evaluation import metrics
from galaxy_models.images.decode import decode_image
from galaxy_models.models.calibration import with_temperature
from galaxy_models.models.card import ModelCard
from galaxy_models.models.engines import Engine, choose_engine, load_engine
from galaxy_models.models.folder import read_card
from galaxy_models.scoring.augmentation import symmetric_views

Pixels = NDArray[np.uint8]
Probabilities = NDArray[np.float32]

SCALE = 0.75  # of the views that crop and shrink
BLUR = 4 / 424  # standard deviation, of the shorter side
NOISE_LEVELS = 8.0
GAINS = (1.15, 1.0, 0.8)  # red, green, blue
JPEG_QUALITY = 25
BATCH_SIZE = 256


@dataclass(frozen=True, kw_only=True)
class Views:
    """Compare a model's answers to the same galaxies seen otherwise."""

    catalog: Path
    """Labelled catalog, CSV with object_id, image (relative to it) and label."""

    model: str
    """Model folder, or the name of a model that comes with the package."""

    side: Literal["test", "validation", "all"] = "test"
    """Which galaxies, by the split of the model's training."""

    limit: int | None = None
    """Look at the first so many only."""

    engine: EngineName | Literal["auto"] = "auto"
    """What computes; auto: as scoring on CPUs."""

    frame_radii: float | None = None
    """Cut a square of so many R90 of the central source first; the card's crop is then
    taken of the whole of it."""


def whole(image: Pixels) -> Pixels:
    """The image as it is."""
    return image


def cropped(image: Pixels) -> Pixels:
    """The central three quarters: a galaxy that fills more of the frame."""
    height, width = (round(side * SCALE) for side in image.shape[:2])
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return image[top : top + height, left : left + width]


def shrunk(image: Pixels, scale: float = SCALE) -> Pixels:
    """Three quarters of the size, on black: a galaxy that fills less."""
    picture = Image.fromarray(image)
    size = (round(picture.width * scale), round(picture.height * scale))
    canvas = Image.new("RGB", picture.size)
    corner = ((picture.width - size[0]) // 2, (picture.height - size[1]) // 2)
    canvas.paste(picture.resize(size, Image.Resampling.BILINEAR), corner)
    return np.asarray(canvas)


def halved(image: Pixels) -> Pixels:
    """Half of the size, on black: pixels of twice the angle."""
    return shrunk(image, 0.5)


def blurred(image: Pixels) -> Pixels:
    """Worse seeing."""
    sigma_px = BLUR * min(image.shape[:2])
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.uint8)


def to_bytes(levels: NDArray[np.float64]) -> Pixels:
    """Round and clip grey levels."""
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def noisy(image: Pixels) -> Pixels:
    """Less depth; the same noise for every galaxy."""
    noise = np.random.default_rng(0).standard_normal(image.shape)
    return to_bytes(image + NOISE_LEVELS * noise)


def recoloured(image: Pixels) -> Pixels:
    """Redder."""
    return to_bytes(image * np.asarray(GAINS))


def compressed(image: Pixels) -> Pixels:
    """A poor JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(buffer))


VIEWS: dict[str, Callable[[Pixels], Pixels]] = {
    "as they are": whole,
    "cropped to 3/4": cropped,
    "shrunk to 3/4 on black": shrunk,
    "shrunk to 1/2 on black": halved,
    "blurred, σ = 4 of 424 px": blurred,
    "noise of 8 grey levels": noisy,
    "red × 1.15, blue × 0.8": recoloured,
    "JPEG of quality 25": compressed,
}
HEADER = (
    "view", "accuracy", "dihedral", "macro-F1", "confidence − accuracy",
    "calibration error",
)  # fmt: skip


def labelled_galaxies(flags: Views, card: ModelCard) -> pd.DataFrame:
    """The catalog's rows that are asked for.

    Raises:
        SystemExit: there is none.
    """
    rows = pd.read_csv(flags.catalog, dtype={"object_id": str})
    rows = rows[rows["label"].isin(card.classes)]
    if flags.side != "all":
        sides = sides_in_training(rows["object_id"], card)
        rows = rows[(sides == flags.side).tolist()]
    if rows.empty:
        raise SystemExit(f"{flags.catalog} has no {flags.side} galaxy of {flags.model}")
    return rows if flags.limit is None else rows.head(flags.limit)


def decoded(
    paths: list[Path],
    view: Callable[[Pixels], Pixels],
    card: ModelCard,
    frame_radii: float | None,
) -> Iterator[Pixels]:
    """Give batches of what the network sees, uint8, shape (galaxies, size, size, 3)."""
    rule = card.decode_rule
    if frame_radii is not None:
        rule = dataclasses.replace(rule, crop_fraction=1.0)
    for start in range(0, len(paths), BATCH_SIZE):
        images = []
        for path in paths[start : start + BATCH_SIZE]:
            buffer = io.BytesIO()
            seen = view(np.asarray(Image.open(path).convert("RGB")))
            if frame_radii is not None:
                seen = framed(seen, frame_radii)
            Image.fromarray(seen).save(buffer, "PNG", compress_level=0)
            images.append(decode_image(buffer.getvalue(), rule))
        yield np.stack(images)


def predict(
    engine: Engine, batches: Iterator[Pixels], temperature: float
) -> tuple[Probabilities, Probabilities]:
    """Predict single views, and the means over eight orientations."""
    single, mean = [], []
    for images in batches:
        views = [
            with_temperature(engine.predict(view), temperature)
            for view in symmetric_views(images, "dihedral")
        ]
        single.append(views[0])
        mean.append(np.mean(views, axis=0))
    return np.concatenate(single), np.concatenate(mean)


def figures(
    single: Probabilities, mean: Probabilities, labels: NDArray[np.int64]
) -> list[str]:
    """A view's cells of the table, but for its name."""
    confusion = metrics.confusion_matrix(labels, single.argmax(axis=1), single.shape[1])
    accuracy = metrics.accuracy(confusion)
    num_right = int(np.trace(confusion))
    low, high = metrics.accuracy_interval(num_right, len(labels))
    confidence = single.max(axis=1)
    bins = metrics.reliability(confidence, single.argmax(axis=1) == labels)
    recall = metrics.class_scores(confusion).recall
    return [
        f"{accuracy:.4f} ({low:.3f}–{high:.3f})",
        f"{np.mean(mean.argmax(axis=1) == labels):.4f}",
        f"{metrics.macro_f1(confusion):.3f}",
        f"{float(confidence.mean()) - accuracy:+.3f}",
        f"{metrics.expected_calibration_error(bins):.3f}",
        *(f"{share:.2f}" for share in recall),
    ]


def compare(flags: Views) -> None:
    """Predict every view, and print the table."""
    card = read_card(flags.model)
    rows = labelled_galaxies(flags, card)
    paths = [flags.catalog.parent / image for image in rows["image"]]
    labels = np.asarray([card.classes.index(label) for label in rows["label"]])
    name = choose_engine(flags.engine, card, on_gpus=False)
    engine = load_engine(name, flags.model, card, threads=num_cpus())
    cells = (*HEADER, *(f"recall of {name}" for name in card.classes))
    say(f"{len(rows)} galaxies\n\n| {' | '.join(cells)} |\n|{' --- |' * len(cells)}")
    for title, view in VIEWS.items():
        single, mean = predict(
            engine, decoded(paths, view, card, flags.frame_radii), card.temperature
        )
        say(f"| {' | '.join([title, *figures(single, mean, labels)])} |")


if __name__ == "__main__":
    compare(tyro.cli(Views, description=__doc__))
