"""Measured sources -> the rows that people read.

It knows extractions, measurements and columns; it knows neither files nor networks.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.detection.arbitration import galaxy_scores
from galaxy_models.detection.extraction import Extraction, Sources
from galaxy_models.detection.families import source_id
from galaxy_models.detection.photometry import Photometry, measure
from galaxy_models.detection.quality import source_flags
from galaxy_models.detection.region import Region
from galaxy_models.detection.sky import position_angles, sky_positions
from galaxy_models.tables.prediction_schema import STATUS_OK, probability_column


def source_rows(
    region: Region,
    extraction: Extraction,
    sources: Sources,
    chosen: NDArray[np.int64],
    level: str,
) -> pd.DataFrame:
    """Measure some sources of one level.

    Args:
        region: the tile.
        extraction: of it.
        sources: its parents or its children.
        chosen: numbers of the sources.
        level: what their ids belong to.

    Returns:
        A row each, with the columns of ``detection_schema`` that pixels and the WCS
        decide; positions are the image's.
    """
    table = sources.table[chosen]
    left, top = region.tile.whole.left, region.tile.whole.top
    photometry = measure(extraction, sources, chosen, region.noise.rms)
    x, y = photometry.x + left, photometry.y + top
    peaks = sources.peaks[chosen][:, ::-1] + (left, top)
    return pd.DataFrame(
        {
            "object_id": np.array(
                [source_id(region.name, level, *map(int, peak)) for peak in peaks],
                np.int64,
            ),
            **_sky_columns(region, x, y, table["theta"]),
            "x": x,
            "y": y,
            "x_error": np.sqrt(table["errx2"]),
            "y_error": np.sqrt(table["erry2"]),
            "xmin": table["xmin"] + left,
            "xmax": table["xmax"] + left,
            "ymin": table["ymin"] + top,
            "ymax": table["ymax"] + top,
            "a": table["a"],
            "b": table["b"],
            "num_pixels": table["npix"],
            **_light_columns(photometry),
            "background": _at(extraction.background, photometry),
            "flags": source_flags(region, extraction, sources)[chosen],
        }
    )


def _sky_columns(
    region: Region,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    theta: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Columns that need a WCS; none without one, or without sources."""
    wcs = region.image.wcs
    if wcs is None or not len(x):
        return {}
    ra, dec = sky_positions(wcs, x, y)
    angles = position_angles(wcs, x, y, theta)
    return {"ra": ra, "dec": dec, "position_angle": angles}


def _light_columns(photometry: Photometry) -> dict[str, NDArray[np.float64]]:
    return {
        "flux": photometry.flux,
        "flux_error": photometry.flux_error,
        "snr": photometry.snr,
        "half_light_radius": photometry.half_light_radius,
        "r90": photometry.r90,
    }


def _at(plane: NDArray[np.float32], photometry: Photometry) -> NDArray[np.float32]:
    """The value of a plane at each source."""
    rows, columns = (
        np.clip(values.round().astype(int), 0, side - 1)
        for values, side in zip((photometry.y, photometry.x), plane.shape, strict=True)
    )
    return np.asarray(plane[rows, columns])


def to_arrow(
    rows: pd.DataFrame,
    image: str,
    probabilities: NDArray[np.float32],
    classes: Sequence[str],
    schema: pa.Schema,
) -> pa.Table:
    """Lay rows out as people read them.

    Args:
        rows: what ``source_rows`` gave, with ``parent_id``, ``num_children``,
            ``size_over_psf`` and ``is_primary``.
        image: their image's name.
        probabilities: float32, shape (rows, classes); NaN where not classified.
        classes: the model's.
        schema: of its detections.
    """
    is_unclassified = np.isnan(probabilities).any(axis=1)
    best = np.nan_to_num(probabilities).argmax(axis=1)
    scores = galaxy_scores(probabilities, classes)
    known = {
        **{name: pa.array(rows[name].to_numpy()) for name in rows},
        "image": pa.repeat(image, len(rows)),
        "predicted_class": pa.array(
            np.asarray(classes, object)[best], pa.string(), mask=is_unclassified
        ),
        **{
            probability_column(name): pa.array(of_class, mask=is_unclassified)
            for name, of_class in zip(classes, probabilities.T, strict=True)
        },
        "score": pa.array(scores, mask=np.isnan(scores)),
        "status": pa.repeat(STATUS_OK, len(rows)),
    }
    columns = [
        known[field.name].cast(field.type)
        if field.name in known
        else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
