"""Make the labelled stamps that the detection model learns from.

    python infra/models/detection_catalog.py GALAXY_DATA_DIR stamps.parquet

In three kinds of wide images ``jobs.detect``'s own code finds the sources and cuts
their stamps: made-up frames with their truth (FITS, and JPEGs of three stretches),
real frames, and real frames to which galaxies of Galaxy Zoo 2 are added. Real frames
are those of ``sdss_frames``, half of which a hash of the field keeps for tests; of
Galaxy Zoo 2 a hash of the id keeps a fifth.

A stamp's label is one of the five classes; ``galaxy``, too faint or small for one
(see ``jobs.train --label-groups``); ``star``; or ``artefact``, which is no source of
its own: a spike, a trail, a piece of a galaxy, two stars taken for one.
"""

import io
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from detection_labels import label_by_truth, label_injected, label_real
from detection_sides import is_training_field, is_training_galaxy
from numpy.typing import NDArray
from PIL import Image

from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.detection.detector import Detector
from galaxy_models.detection.noise import measure_noise
from galaxy_models.detection.tiles import Grid
from galaxy_models.images.wide import open_wide_image
from galaxy_models.simulation import WideSky, write_frames
from galaxy_models.simulation.injection import Cutout, inject

STAMP_PX = 142  # of the whole 8.48 × R90; its central 0.45 is 64 px
STAMP_QUALITY = 95
TILE_PX = 2048
SEED = 17

FRAMES_PER_SKY = 10
FRAME_SIDE_PX = 1024
SKIES = (
    WideSky(40, 90, 2, 0, 0.25, (14.0, 18.5)),
    WideSky(90, 90, 2, 1, 0.25, (15.5, 20.5)),
    WideSky(120, 90, 2, 0, 0.25, (15.5, 22.0)),
)
MAX_STARS, MAX_PAIRS = 400, 200  # of a real frame

NUM_GALAXIES = {
    "cigar": 500,
    "edge_on": 1600,
    "in_between": 1600,
    "round": 1600,
    "spiral": 2500,
}
GALAXIES_PER_FRAME = 150
R90_PX = (5.0, 26.0)
MAX_BLUR_PX = 1.2
FRAME_QUALITY = 92

Labelled = Iterator[tuple[NDArray[np.uint8], str]]


def find(data: str | bytes) -> tuple[pd.DataFrame, list[NDArray[np.uint8]]]:
    """Find an image's sources, and cut the stamps of those that are large enough.

    Returns:
        The sources, with ``stamp``, the number of a row's stamp, -1 for none; and the
        stamps.
    """
    stamps: list[NDArray[np.uint8]] = []

    def keep(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        stamps.extend(images)
        return np.ones((len(images), 1), np.float32)

    detector = Detector(("any",), DecodeRule(STAMP_PX), keep)
    image = open_wide_image(data, "/", detector.rule)
    grid = Grid(image.height, image.width, TILE_PX)
    noise = measure_noise(image)
    tables = [
        detector.detect(image, "image", noise, grid.tile(index))
        for index in range(grid.num_tiles)
    ]
    image.close()
    rows: pd.DataFrame = pa.concat_tables(tables).to_pandas()
    has_stamp = rows["predicted_class"].notna()
    rows["stamp"] = np.where(has_stamp, has_stamp.cumsum() - 1, -1)
    return rows, stamps


def labelled(
    rows: pd.DataFrame, stamps: list[NDArray[np.uint8]], labels: list[str | None]
) -> Labelled:
    """Pair stamps with their labels, where both are there."""
    for stamp, label in zip(rows["stamp"], labels, strict=True):
        if label is not None and stamp >= 0:
            yield stamps[stamp], label


def from_made_up_frames(folder: Path) -> Labelled:
    """Stamps of made-up frames."""
    for number, sky in enumerate(SKIES):
        frames = write_frames(
            folder, FRAMES_PER_SKY, width=FRAME_SIDE_PX, height=FRAME_SIDE_PX,
            seed=SEED + number, sky=sky,
        )  # fmt: skip
        for name, truth in pd.read_parquet(frames.truth).groupby("image"):
            kind = "fits" if str(name).endswith("fits") else "jpg"
            rows, stamps = find(str(frames.images(kind) / str(name)))
            yield from labelled(rows, stamps, label_by_truth(rows, truth))


def from_real_frames(data: Path, rng: np.random.Generator) -> Labelled:
    """Stars, pairs of stars and artefacts of real frames."""
    for path in training_frames(data):
        rows, stamps = find_in_frame(path)
        labels = pd.Series(label_real(rows), rows.index, dtype=object)
        for label, limit in (("star", MAX_STARS), ("artefact", MAX_PAIRS)):
            with_label = labels.index[(labels == label) & (rows["stamp"] >= 0)]
            surplus = max(0, len(with_label) - limit)
            labels[rng.choice(with_label, surplus, replace=False)] = None
        yield from labelled(rows, stamps, labels.tolist())


def training_frames(data: Path) -> list[Path]:
    """Real frames to learn from."""
    frames = pd.read_csv(data / "sdss_frames" / "frames.csv")
    frames = frames[frames["field"].map(is_training_field)]
    return [data / "sdss_frames" / image for image in frames["image"]]


@cache
def find_in_frame(path: Path) -> tuple[pd.DataFrame, list[NDArray[np.uint8]]]:
    """Find a real frame's own sources."""
    return find(str(path))


def from_injected_galaxies(data: Path, rng: np.random.Generator) -> Labelled:
    """Stamps of real galaxies, and of what they are split into, in real frames."""
    galaxies, frames = training_galaxies(data), training_frames(data)
    galaxies = galaxies.sample(frac=1, random_state=SEED)
    for start in range(0, len(galaxies), GALAXIES_PER_FRAME):
        path = frames[start // GALAXIES_PER_FRAME % len(frames)]
        chosen = galaxies[start : start + GALAXIES_PER_FRAME]
        cutouts = [cutout(row.image, row.label, rng) for row in chosen.itertuples()]
        picture, added = inject(read_picture(path), cutouts, rng)
        rows, stamps = find(jpeg(picture, FRAME_QUALITY))
        before, _ = find_in_frame(path)
        labels = label_injected(rows, pd.DataFrame(added), before)
        yield from labelled(rows, stamps, labels)


def training_galaxies(data: Path) -> pd.DataFrame:
    """Galaxies of Galaxy Zoo 2 to learn from: absolute image path and label."""
    tables = []
    for name in ("galaxy_zoo_2", "galaxy_zoo_2_clean"):
        table = pd.read_csv(data / name / "catalog.csv", dtype=str)
        table["image"] = f"{data / name}/" + table["image"]
        tables.append(table[table["object_id"].map(is_training_galaxy)])
    chosen = [
        of_class.sample(min(NUM_GALAXIES[str(label)], len(of_class)), random_state=SEED)
        for label, of_class in pd.concat(tables).groupby("label")
    ]
    return pd.concat(chosen)


def cutout(path: str, label: str, rng: np.random.Generator) -> Cutout:
    """Read a galaxy, and choose how large and how sharp it is added."""
    r90_px = float(np.exp(rng.uniform(*np.log(R90_PX))))
    blur_px = max(0.0, float(rng.uniform(-MAX_BLUR_PX, MAX_BLUR_PX)))
    return Cutout(read_picture(Path(path)), label, r90_px, blur_px)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Decode a picture."""
    return np.asarray(Image.open(path).convert("RGB"))


def jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Encode a picture."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def write_catalog(data: Path, output: Path) -> None:
    """Write all stamps: ``object_id``, ``image_bytes``, ``label`` and ``kind``."""
    rng = np.random.default_rng(SEED)
    rows = []
    with TemporaryDirectory() as folder:
        kinds = {
            "injected": from_injected_galaxies(data, rng),
            "real": from_real_frames(data, rng),
            "made_up": from_made_up_frames(Path(folder)),
        }
        for kind, stamps in kinds.items():
            for number, (stamp, label) in enumerate(stamps):
                rows.append(
                    {
                        "object_id": f"{kind}-{number}",
                        "image_bytes": jpeg(stamp, STAMP_QUALITY),
                        "label": label,
                        "kind": kind,
                    }
                )
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, output, row_group_size=1000)
    counts = table.to_pandas().groupby(["kind", "label"]).size()
    sys.stdout.write(f"{counts.to_string()}\n")


if __name__ == "__main__":
    write_catalog(Path(sys.argv[1]), Path(sys.argv[2]))
