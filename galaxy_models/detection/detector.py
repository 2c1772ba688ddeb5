"""A tile of a wide image -> a row for each of its sources.

The one place where proposals, measurements and the network meet. It knows open images
and a function that predicts; it knows neither files nor Ray.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.chunks.chunk_result import Stopwatch
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.detection.arbitration import choose_primary
from galaxy_models.detection.extraction import Extraction, extract, threshold_of
from galaxy_models.detection.families import (
    PART,
    SOURCE,
    TILE,
    Families,
    own_families,
    source_id,
)
from galaxy_models.detection.noise import Noise
from galaxy_models.detection.photometry import point_source_radius
from galaxy_models.detection.region import Region, read_region
from galaxy_models.detection.rows import source_rows, to_arrow
from galaxy_models.detection.stamps import cut_stamps
from galaxy_models.detection.tiles import Tile
from galaxy_models.errors import ImageDecodeError
from galaxy_models.images.wide_image import WideImage
from galaxy_models.tables.detection_schema import TOO_SMALL, detections_schema
from galaxy_models.tables.prediction_schema import STATUS_FAILED

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Stamps, shape (sources, size, size, 3), to calibrated probabilities."""

NO_PARENT = 0  # not null: pandas would make floats of ids
MIN_SIZE_OVER_PSF = 1.5  # below it the seeing has washed out a morphology


@dataclass(frozen=True)
class Detector:
    """Finds, measures and classifies the sources of tiles."""

    classes: tuple[str, ...]
    """The model's, in its order."""

    rule: DecodeRule
    """The model's."""

    predict: Predict

    @property
    def schema(self) -> pa.Schema:
        """Columns of the rows."""
        return detections_schema(self.classes)

    def detect(
        self,
        image: WideImage,
        name: str,
        noise: Noise,
        tile: Tile,
        watch: Stopwatch | None = None,
    ) -> pa.Table:
        """Find the sources whose peak lies in the tile's core.

        Args:
            image: open.
            name: as the rows call it.
            noise: of the image.
            tile: which part of it.
            watch: times the stages.

        Returns:
            Rows with ``schema``: the sources, then what they can be split into.

        Raises:
            ImageDecodeError: the tile cannot be read, or is ``crowded``.
        """
        if not noise.rms:  # one colour
            return self.schema.empty_table()
        watch = watch or Stopwatch()
        with watch.timing("reading"):
            region = read_region(image, name, noise, tile)
        if np.isnan(region.plane).all():
            return self.schema.empty_table()
        with watch.timing("extracting"):
            extraction = extract(region.plane, noise.rms, threshold_of(image))
            families = own_families(extraction, tile)
        if not len(families.parents):
            return self.schema.empty_table()
        with watch.timing("measuring"):
            rows = _measured(region, extraction, families)
        with watch.timing("predicting"):
            probabilities = self._classify(region, rows)
            rows["is_primary"] = choose_primary(rows, probabilities, self.classes)
        return to_arrow(rows, name, probabilities, self.classes, self.schema)

    def failed_row(self, name: str, tile: int, error: ImageDecodeError) -> pa.Table:
        """Make the row of a tile that cannot be read.

        Args:
            name: of its image.
            tile: its number there.
            error: why.
        """
        row = {
            "object_id": source_id(name, TILE, tile),
            "image": name,
            "parent_id": NO_PARENT,
            "num_children": 0,
            "is_primary": True,
            "flags": 0,
            "status": STATUS_FAILED,
            "error": str(error),
        }
        return pa.Table.from_pylist([row], schema=self.schema)

    def _classify(self, region: Region, rows: pd.DataFrame) -> NDArray[np.float32]:
        """Predict sources that are large enough; NaN for the others."""
        probabilities = np.full((len(rows), len(self.classes)), np.nan, np.float32)
        is_large = (rows["flags"] & TOO_SMALL).to_numpy() == 0
        if is_large.any():
            whole = region.tile.whole
            large = rows[is_large]
            stamps = cut_stamps(
                region.image,
                region.planes,
                large[["x", "y"]].to_numpy() - (whole.left, whole.top),
                large["r90"].to_numpy(),
                self.rule,
            )
            probabilities[is_large] = self.predict(stamps)
        return probabilities


def _measured(
    region: Region, extraction: Extraction, families: Families
) -> pd.DataFrame:
    """Measure sources and their parts."""
    parents = source_rows(
        region, extraction, extraction.parents, families.parents, SOURCE
    )
    parts = source_rows(
        region, extraction, extraction.children, families.children, PART
    )
    parents["num_children"], parents["parent_id"] = families.num_children, NO_PARENT
    is_split = families.num_children > 0
    parts["num_children"] = 0
    parts["parent_id"] = np.repeat(
        parents.loc[is_split, "object_id"].to_numpy(), families.num_children[is_split]
    )
    psf_radius = point_source_radius(parents)
    rows = pd.concat([parents, parts], ignore_index=True)
    rows["size_over_psf"] = rows["half_light_radius"] / psf_radius
    is_small = rows["size_over_psf"] < MIN_SIZE_OVER_PSF
    rows["flags"] = rows["flags"] | np.where(is_small, TOO_SMALL, 0)
    return rows
