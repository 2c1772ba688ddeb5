"""``quickstart --detect``: made-up wide frames, their galaxies found and judged."""

import logging
import sys
from pathlib import Path
from typing import Any

from galaxy_models.config import DetectConfig, EvaluateConfig, QuickstartConfig

logger = logging.getLogger(__name__)

NUM_FRAMES = 2
WIDTH_PX, HEIGHT_PX = 1024, 768
NUM_GALAXIES, NUM_STARS = 60, 60
R_MAGNITUDES = (15.0, 21.0)
NUM_SHOWN = 8  # rows
SHOWN_COLUMNS = (
    "image", "ra", "dec", "x", "y", "r90", "snr", "predicted_class", "score",
)  # fmt: skip


def quickstart_detect(folder: Path, config: QuickstartConfig) -> dict[str, Any]:
    """Simulate, detect, compare with the truth, show.

    Args:
        folder: for all results.
        config: the flags of ``jobs.quickstart``.
    """
    from galaxy_models.detection import detect
    from galaxy_models.evaluation.detections import evaluate_detections
    from galaxy_models.simulation import WideSky, write_frames

    sky = WideSky(NUM_GALAXIES, NUM_STARS, galaxy_r_magnitudes=R_MAGNITUDES)
    logger.info("drawing %d frames of %d×%d px", NUM_FRAMES, WIDTH_PX, HEIGHT_PX)
    frames = write_frames(
        folder / "frames",
        NUM_FRAMES,
        width=WIDTH_PX,
        height=HEIGHT_PX,
        seed=config.seed,
        sky=sky,
    )
    detections = str(folder / "detections")
    detect(
        DetectConfig(
            images=str(frames.images("fits")),
            output=detections,
            stamps=str(folder / "stamps"),
            regions=str(folder / "regions"),
            overlay=str(folder / "overlay"),
        )
    )
    report = evaluate_detections(
        EvaluateConfig(
            detections=detections,
            truth=str(frames.truth),
            output=str(folder / "report"),
        )
    )
    picture = str(min((folder / "overlay").glob("*.jpg")))
    _show(detections)
    sys.stdout.write(f"picture: {picture}\nreport: {report.page}\n")
    return {"picture": picture, "page": report.page}


def _show(detections: str) -> None:
    """Print the head of the galaxies that were found."""
    import pandas as pd

    table = pd.read_parquet(detections)
    galaxies = table[table["is_primary"] & (table["score"] >= 0.5)]
    head = galaxies[list(SHOWN_COLUMNS)].head(NUM_SHOWN).to_string(index=False)
    sys.stdout.write(f"\n>>> table = pd.read_parquet({detections!r})\n")
    sys.stdout.write(">>> table[table.is_primary & (table.score >= 0.5)]\n")
    sys.stdout.write(f"{head}\n\n{galaxies['predicted_class'].value_counts()}\n\n")
