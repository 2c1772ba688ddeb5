"""Reads detections and their truth into memory, checked.

Memory holds some 150 bytes a row. This module knows columns; it measures nothing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from galaxy_models import storage
from galaxy_models.errors import CatalogError, PredictionsError
from galaxy_models.tables.formats import ParquetTable, Table, open_table
from galaxy_models.tables.prediction_schema import STATUS_OK

GALAXY = "galaxy"
DETECTION_COLUMNS = (
    "object_id", "image", "x", "y", "flux", "snr", "half_light_radius", "is_primary",
    "predicted_class", "score", "status",
)  # fmt: skip
TRUTH_COLUMNS = ("image", "x", "y")
OPTIONAL = {
    "kind": GALAXY,
    "label": None,
    "r_magnitude": np.nan,
    "half_light_radius_px": np.nan,
    "r90_px": np.nan,
}
"""Columns that a truth may lack, and what stands there then."""


@dataclass(frozen=True)
class Tables:
    """What was found, and what there is."""

    detections_uri: str
    truth_uri: str
    found: pd.DataFrame
    """Primary rows with status ok, of images that the truth speaks of."""

    truth: pd.DataFrame
    """Point-like and extended sources; no trails."""

    num_images: int
    num_other_images: int
    """Images with detections that the truth does not speak of; left out."""


def read_tables(detections: str, truth: str) -> Tables:
    """Read both tables.

    Args:
        detections: folder that jobs.detect wrote, or Parquet files of such rows.
        truth: a table with a row for each source of each image.

    Raises:
        PredictionsError: the detections are none, or of other images.
        CatalogError: a table cannot be read, or lacks a column.
    """
    found_table = open_table(storage.absolute_uri(detections), "--detections")
    truth_table = open_table(storage.absolute_uri(truth), "--truth")
    rows, sources = _read_detections(found_table), _read_truth(truth_table)
    images = set(sources["image"])
    others = set(rows["image"]) - images
    rows = rows[rows["image"].isin(images)].reset_index(drop=True)
    if rows.empty:
        raise PredictionsError(
            f"no image of --truth {truth_table.uri} (such as {_example(images)}) is in "
            f"--detections {found_table.uri} (such as {_example(others)}); the column "
            "'image' must name them alike in both."
        )
    is_source = rows["is_primary"] & (rows["status"] == STATUS_OK)
    return Tables(
        detections_uri=found_table.uri,
        truth_uri=truth_table.uri,
        found=rows[is_source].reset_index(drop=True),
        truth=sources[sources["kind"] != "trail"].reset_index(drop=True),
        num_images=len(images),
        num_other_images=len(others),
    )


def _example(images: set[str]) -> str:
    return min(images, default="none at all")


def _read_detections(table: Table) -> pd.DataFrame:
    if not isinstance(table, ParquetTable):
        raise PredictionsError(
            f"--detections {table.uri} holds no Parquet files; name the folder that "
            "jobs.detect wrote."
        )
    missing = [name for name in DETECTION_COLUMNS if name not in table.schema.names]
    if missing:
        raise PredictionsError(
            f"--detections {table.uri} has no column {', '.join(missing)}; name the "
            "folder that jobs.detect wrote."
        )
    return _read(table, DETECTION_COLUMNS)


def _read_truth(table: Table) -> pd.DataFrame:
    names = table.schema.names
    missing = [name for name in TRUTH_COLUMNS if name not in names]
    if missing:
        raise CatalogError(
            f"--truth {table.uri} has no column {', '.join(missing)}; it needs image, "
            "x and y (px, 0-based), and may have "
            f"{', '.join(OPTIONAL)}."
        )
    present = [name for name in OPTIONAL if name in names]
    sources = _read(table, (*TRUTH_COLUMNS, *present))
    if sources[["x", "y"]].isna().any(axis=None):
        raise CatalogError(f"--truth {table.uri} has rows without x or y.")
    for name, value in OPTIONAL.items():
        if name not in sources:
            sources[name] = value
    return sources


def _read(table: Table, columns: tuple[str, ...]) -> pd.DataFrame:
    batches: list[Any] = list(table.read_batches(list(columns)))
    if not batches:
        return pd.DataFrame({name: [] for name in columns})
    rows: pd.DataFrame = pa.Table.from_batches(batches).to_pandas()
    rows["image"] = rows["image"].astype(str)
    return rows
