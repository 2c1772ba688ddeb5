"""Pictures of what was missed and what was false, cut out of the wide images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import simplejpeg
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.chunks.run_file import read_run_file
from galaxy_models.config import EvaluateConfig
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.errors import ImageDecodeError
from galaxy_models.evaluation.cutouts import JPEG_QUALITY, data_uri
from galaxy_models.evaluation.detections.blends import shredded
from galaxy_models.evaluation.detections.matching import NONE
from galaxy_models.evaluation.detections.results import DetectionEvaluation
from galaxy_models.evaluation.detections.tables import GALAXY
from galaxy_models.images.allowed_paths import allowed_folders
from galaxy_models.images.wide import open_wide_image
from galaxy_models.images.wide_image import WideImage

HALF_PX = 32  # from the middle of a picture to its edge
TILE_PX = 160
MARK_PX = 6  # of the mark at each side of the middle
MARK_COLOUR = (90, 220, 255)


class Shown(NamedTuple):
    """A source that is shown."""

    image: str
    x: float
    y: float
    caption: str


@dataclass(frozen=True)
class Gallery:
    """Sources that are shown together."""

    title: str
    explanation: str
    sources: list[Shown]


def galleries(evaluation: DetectionEvaluation, size: int) -> list[Gallery]:
    """Choose what is shown: the brightest missed ones, the surest false ones."""
    found, truth = evaluation.tables.found, evaluation.tables.truth
    is_missed = evaluation.is_galaxy & (evaluation.matches.of_truth == NONE)
    chosen = [
        Gallery(
            "Missed galaxies",
            "the brightest that were not found",
            _true_ones(truth[is_missed], size),
        ),
        Gallery(
            "Broken galaxies",
            "with further detections in their light that are no source",
            _true_ones(truth[shredded(found, truth, evaluation.matches)], size),
        ),
    ]
    if evaluation.purity is not None:
        chosen += _false_ones(evaluation, size)
    return [gallery for gallery in chosen if gallery.sources]


def _true_ones(sources: pd.DataFrame, size: int) -> list[Shown]:
    shown = sources.sort_values(
        ["r_magnitude", "r90_px"], ascending=[True, False], kind="stable"
    ).head(size)
    return _shown(shown, [_true_caption(row) for row in shown.itertuples()])


def _true_caption(row: Any) -> str:
    name = row.kind if pd.isna(row.label) else row.label
    return name if pd.isna(row.r_magnitude) else f"{name} r = {row.r_magnitude:.1f}"


def _false_ones(evaluation: DetectionEvaluation, size: int) -> Iterator[Gallery]:
    found, of_found = evaluation.tables.found, evaluation.matches.of_found
    kinds = evaluation.tables.truth["kind"].to_numpy(object)
    is_galaxy = (of_found != NONE) & (kinds[of_found] == GALAXY)
    called = _highest(found[evaluation.is_called & ~is_galaxy], "score", size)
    names = called["predicted_class"].fillna("?")
    scored = zip(names, called["score"], strict=True)
    yield Gallery(
        "Called a galaxy, and none",
        "the highest scores where the truth has something else, or nothing",
        _shown(called, [f"{name} {score:.2f}" for name, score in scored]),
    )
    false = _highest(found[of_found == NONE], "snr", size)
    yield Gallery(
        "Nothing there",
        "the brightest detections where the truth has nothing",
        _shown(false, [f"S/N {snr:.0f}" for snr in false["snr"]]),
    )


def _highest(rows: pd.DataFrame, column: str, size: int) -> pd.DataFrame:
    return rows.sort_values([column, "object_id"], ascending=[False, True]).head(size)


def _shown(rows: pd.DataFrame, captions: list[str]) -> list[Shown]:
    columns = (rows[name].tolist() for name in ("image", "x", "y"))
    return [Shown(*values) for values in zip(*columns, captions, strict=True)]


def image_root_of(config: EvaluateConfig) -> str | None:
    """Find the folder of the images: as asked for, or as the detections' run says."""
    if config.image_root is not None:
        return storage.absolute_uri(config.image_root)
    record = read_run_file(storage.absolute_uri(str(config.detections))) or {}
    images = record.get("images")
    return images if images and storage.is_folder(images) else None


def cut_pictures(
    sources: Sequence[Shown], root: str, config: EvaluateConfig
) -> dict[Shown, str]:
    """Cut pictures of sources, image by image.

    Returns:
        Pictures as ``data:`` URIs; none of sources whose image cannot be read.
    """
    allowed = allowed_folders(config.image_root, config.allow_image_prefix)
    by_image: dict[str, list[Shown]] = {}
    for source in sources:
        by_image.setdefault(source.image, []).append(source)
    pictures: dict[Shown, str] = {}
    for name, of_image in by_image.items():
        try:
            image = open_wide_image(name, root, DecodeRule(TILE_PX), allowed)
        except ImageDecodeError:  # what is shown is none of the figures
            continue
        for source in of_image:
            pixels = _cut(image, source.x, source.y)
            jpeg = simplejpeg.encode_jpeg(pixels, quality=JPEG_QUALITY)
            pictures[source] = data_uri(jpeg, "image/jpeg")
        image.close()
    return pictures


def _cut(image: WideImage, x: float, y: float) -> NDArray[np.uint8]:
    """Cut a square around a source, twice enlarged, with marks beside the middle."""
    side = 2 * HALF_PX
    parts: list[slice] = []
    pads = [(0, 0)]
    for middle, length in ((round(y), image.height), (round(x), image.width)):
        start, stop = max(0, middle - HALF_PX), min(length, middle + HALF_PX)
        parts.append(slice(start, stop))
        pads.append((start - middle + HALF_PX, middle + HALF_PX - stop))
    region = np.pad(np.nan_to_num(image.read(*parts)), pads)
    pixels = image.to_rgb(region).repeat(2, axis=0).repeat(2, axis=1)
    for columns in (slice(side - 3 * MARK_PX, side - 2 * MARK_PX),
                    slice(side + 2 * MARK_PX, side + 3 * MARK_PX)):  # fmt: skip
        pixels[side, columns] = MARK_COLOUR
    return np.ascontiguousarray(pixels)
