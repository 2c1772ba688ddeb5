"""Judge a detection model on frames and galaxies that it never saw.

    python infra/models/detection_test.py GALAXY_DATA_DIR MODEL WORK [NUM_FRAMES]

Made-up frames of other seeds as FITS and as JPEG; frames of bright galaxies only; and
held-back fields of ``sdss_frames`` with 24 held-back galaxies of Galaxy Zoo 2 in each.
WORK gets a report of each; the main figures are printed.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from detection_catalog import SEED, jpeg, read_picture
from detection_sides import is_training_field, is_training_galaxy

from galaxy_models.config import DetectConfig, EvaluateConfig
from galaxy_models.detection import detect
from galaxy_models.evaluation.detections import evaluate_detections
from galaxy_models.evaluation.detections.measures import Binned
from galaxy_models.simulation import WideSky, write_frames
from galaxy_models.simulation.injection import Cutout, inject

NUM_FRAMES = 16
BRIGHT_R = 20.0
SIDE_PX = 1024
SKIES = {
    "made_up": WideSky(120, 120),
    "bright": WideSky(25, 60, 0, 0, 0.1, (14.0, 17.0)),
}
GALAXIES_PER_FRAME = 24
R90_PX = (6.0, 22.0)
QUALITY = 95


def write_injected(data: Path, folder: Path, num_frames: int) -> Path:
    """Write held-back frames with held-back galaxies; give the truth's path."""
    rng = np.random.default_rng(SEED + 1)
    galaxies, frames = held_back(data)
    galaxies = galaxies.sample(GALAXIES_PER_FRAME * num_frames, random_state=SEED)
    tables = []
    (folder / "jpg").mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(frames[:num_frames]):
        start = number * GALAXIES_PER_FRAME
        cutouts = [
            Cutout(read_picture(Path(image)), label, float(np.exp(radius)))
            for (image, label), radius in zip(
                galaxies[["image", "label"]].to_numpy()[start:][:GALAXIES_PER_FRAME],
                rng.uniform(*np.log(R90_PX), GALAXIES_PER_FRAME),
                strict=True,
            )
        ]
        picture, added = inject(read_picture(path), cutouts, rng)
        (folder / "jpg" / path.name).write_bytes(jpeg(picture, QUALITY))
        tables.append(pd.DataFrame(added).assign(image=path.name))
    pd.concat(tables).to_parquet(folder / "truth.parquet")
    return folder / "truth.parquet"


def held_back(data: Path) -> tuple[pd.DataFrame, list[Path]]:
    """Galaxies (absolute path, label) and frames for tests; fields in turn."""
    frames = pd.read_csv(data / "sdss_frames" / "frames.csv")
    frames = frames[~frames["field"].map(is_training_field)]
    frames = frames.sort_values("image").drop_duplicates("field")
    galaxies = []
    for name in ("galaxy_zoo_2", "galaxy_zoo_2_clean"):
        table = pd.read_csv(data / name / "catalog.csv", dtype=str)
        table["image"] = f"{data / name}/" + table["image"]
        galaxies.append(table[~table["object_id"].map(is_training_galaxy)])
    paths = [data / "sdss_frames" / image for image in frames["image"]]
    return pd.concat(galaxies), paths


def judge(
    images: Path, truth: Path, model: str, work: Path, *, is_partial: bool
) -> str:
    """Detect and evaluate; the main figures as a line."""
    detections = work / "detections"
    detect(
        DetectConfig(
            images=str(images), output=str(detections), model=model, overwrite=True,
            overlay=str(work / "overlay"),
        )
    )  # fmt: skip
    report = evaluate_detections(
        EvaluateConfig(
            detections=str(detections), truth=str(truth), output=str(work / "report"),
            partial_truth=is_partial, overwrite=True,
        )
    )  # fmt: skip
    result = report.evaluation
    blends, classes = result.blends, result.classes
    parts = {
        "found": result.num_found / result.num_galaxies,
        "the bright ones": bright_share(result.by_magnitude),
        "the isolated ones": bright_share(result.isolated),
        "50 %": result.limits[0.5],
        "position": result.positions.median,
        "class right": classes.accuracy,
        "called a frame": result.is_called.sum() / result.tables.num_images,
        "broken": blends.num_shredded / max(blends.num_galaxies, 1),
        "broken spirals": blends.num_shredded_spirals
        / max(blends.num_bright_spirals, 1),
        "AP": result.average_precision,
    }
    if result.purity is not None:
        parts["purity"] = result.purity.significant
        parts["galaxies' purity"] = result.purity.of_galaxies
        parts["the bright ones'"] = bright_share(result.purity.by_magnitude)
    return ", ".join(f"{name} {value:.3f}" for name, value in parts.items())


def bright_share(shares: Binned) -> float:
    """Share of those down to ``BRIGHT_R``."""
    is_bright = shares.edges[1:] <= BRIGHT_R
    return float(shares.num_good[is_bright].sum() / shares.num[is_bright].sum())


def main(data: Path, model: str, work: Path, num_frames: int) -> None:
    """Judge on everything."""
    for number, (name, sky) in enumerate(SKIES.items()):
        frames = write_frames(
            work / name, num_frames, width=SIDE_PX, height=SIDE_PX,
            seed=9000 + number, sky=sky,
        )  # fmt: skip
        for kind in ("fits", "jpg"):
            folder = work / f"{name}-{kind}"
            truth = folder / "truth.parquet"
            folder.mkdir(exist_ok=True)
            rows = pd.read_parquet(frames.truth)
            rows[rows["image"].str.endswith(kind)].to_parquet(truth)
            images = frames.folder / kind
            line = judge(images, truth, model, folder, is_partial=False)
            sys.stdout.write(f"{name} {kind}: {line}\n")
    truth = write_injected(data, work / "injected", num_frames)
    line = judge(truth.parent / "jpg", truth, model, work / "injected", is_partial=True)
    sys.stdout.write(f"injected: {line}\n")


if __name__ == "__main__":
    asked = int(sys.argv[4]) if len(sys.argv) > 4 else NUM_FRAMES
    main(Path(sys.argv[1]).absolute(), sys.argv[2], Path(sys.argv[3]), asked)
