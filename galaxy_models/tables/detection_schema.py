"""Arrow schema of detections: a row for each source of a wide image.

This module knows columns and the bits of ``flags``; it neither reads nor writes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from galaxy_models.tables.prediction_schema import Column, probability_column


class Flag(NamedTuple):
    """A bit of the column ``flags``."""

    bit: int
    meaning: str


BLENDED = 1
SATURATED = 2
AT_EDGE = 4
NEAR_BRIGHT_STAR = 8
TOO_SMALL = 16
NOT_DEBLENDED = 32

FLAGS = (
    Flag(BLENDED, "blended: its light overlaps another source's"),
    Flag(SATURATED, "saturated pixels"),
    Flag(AT_EDGE, "touches the image's edge, or pixels without a value"),
    Flag(NEAR_BRIGHT_STAR, "in the wings or on a spike of a saturated source"),
    Flag(TOO_SMALL, "too small to classify: no class"),
    Flag(NOT_DEBLENDED, "too crowded: sources that touch were not told apart"),
)
"""``jobs/README.md`` lists these."""


class DetectionColumn(NamedTuple):
    """A column and its type."""

    column: Column
    type: pa.DataType


def _of(
    type_: pa.DataType, name: str, unit: str, ucd: str, meaning: str
) -> DetectionColumn:
    return DetectionColumn(Column(name, unit, ucd, meaning), type_)


INTEGER, FLOAT, DOUBLE, TEXT = pa.int32(), pa.float32(), pa.float64(), pa.string()

DETECTION_COLUMNS = (
    _of(
        pa.int64(), "object_id", "", "meta.id;meta.main",
        "a hash of image, peak pixel and level: the same sources keep their ids",
    ),
    _of(TEXT, "image", "", "meta.id;obs.image", "the image, as the table names it"),
    _of(
        DOUBLE, "ra", "deg", "pos.eq.ra;meta.main",
        "right ascension (ICRS); null without a WCS",
    ),
    _of(
        DOUBLE, "dec", "deg", "pos.eq.dec;meta.main",
        "declination (ICRS); null without a WCS",
    ),
    _of(
        DOUBLE, "x", "pixel", "pos.cartesian.x;instr.det",
        "column of the centre, 0-based, pixel centres at whole numbers, in the order "
        "of the file's array",
    ),
    _of(
        DOUBLE, "y", "pixel", "pos.cartesian.y;instr.det",
        "row of the centre; row 0 is the first of the file",
    ),
    _of(
        FLOAT, "x_error", "pixel", "stat.error;pos.cartesian.x",
        "standard error of x, from the noise",
    ),
    _of(
        FLOAT, "y_error", "pixel", "stat.error;pos.cartesian.y",
        "standard error of y, from the noise",
    ),
    _of(
        INTEGER, "xmin", "pixel", "pos.cartesian.x;stat.min",
        "first column of the pixels above the threshold",
    ),
    _of(
        INTEGER, "xmax", "pixel", "pos.cartesian.x;stat.max",
        "last column of these pixels",
    ),
    _of(INTEGER, "ymin", "pixel", "pos.cartesian.y;stat.min", "first row of them"),
    _of(INTEGER, "ymax", "pixel", "pos.cartesian.y;stat.max", "last row of them"),
    _of(
        FLOAT, "a", "pixel", "phys.angSize.smajAxis",
        "standard deviation of the light along the major axis",
    ),
    _of(FLOAT, "b", "pixel", "phys.angSize.sminAxis", "the same along the minor axis"),
    _of(
        FLOAT, "position_angle", "deg", "pos.posAng",
        "of the major axis, east of north, 0 to 180; null without a WCS",
    ),
    _of(INTEGER, "num_pixels", "", "meta.number;instr.pixel", "above the threshold"),
    _of(
        FLOAT, "flux", "", "phot.flux",
        "in a Kron ellipse, in the unit of the image: FITS bands averaged by their "
        "inverse variance, grey levels of a picture",
    ),
    _of(FLOAT, "flux_error", "", "stat.error;phot.flux", "from the sky's noise"),
    _of(FLOAT, "snr", "", "stat.snr", "flux over flux_error"),
    _of(
        FLOAT, "half_light_radius", "pixel", "phys.angSize;src",
        "of the circle that holds half of the flux",
    ),
    _of(
        FLOAT, "r90", "pixel", "phys.angSize;src",
        "of the circle that holds 90 % of the flux; stamps are 8.48 times as wide",
    ),
    _of(
        FLOAT, "size_over_psf", "", "phys.angSize;arith.ratio",
        "half_light_radius over that of the tile's point sources",
    ),
    _of(
        FLOAT, "background", "", "instr.background",
        "sky that was subtracted at the centre, in the unit of flux a pixel",
    ),
    _of(
        pa.int64(), "parent_id", "", "meta.id.parent",
        "object_id of the source that this one was split from; 0 for the others",
    ),
    _of(
        INTEGER, "num_children", "", "meta.number;src",
        "rows that this one can be split into; 0 if it cannot",
    ),
    _of(
        pa.bool_(), "is_primary", "", "meta.code",
        "whether it is one of the rows that cover the image once: of a source and its "
        "parts, what the network takes for a galaxy rather than the other",
    ),
    _of(INTEGER, "flags", "", "meta.code.qual", "a sum of bits; 0 is good"),
    _of(
        TEXT, "predicted_class", "", "src.class",
        "the most probable class; null where the source is too small",
    ),
    _of(
        FLOAT, "probability_<class>", "", "stat.probability",
        "calibrated softmax, 0 to 1, one column for each class; null like the class",
    ),
    _of(
        FLOAT, "score", "", "stat.probability;src.class",
        "probability of being a galaxy: 1 - P(star) - P(artefact); null if the model "
        "has neither class, or the source is too small",
    ),
    _of(
        TEXT, "status", "", "meta.code.status",
        "ok; failed for a row that stands for an image or a tile of it",
    ),
    _of(
        TEXT, "error", "", "meta.note",
        "null, or a failure reason, a colon, and details",
    ),
)  # fmt: skip
"""``jobs/README.md`` lists these."""


def detections_schema(classes: Sequence[str]) -> pa.Schema:
    """Lay out the detections of a model.

    Args:
        classes: class names in the model's order.
    """
    fields = []
    for column, type_ in DETECTION_COLUMNS:
        metadata = {"description": column.meaning, "ucd": column.ucd}
        if column.unit:
            metadata["unit"] = column.unit
        names = [column.name]
        if column.name == "probability_<class>":
            names = [probability_column(name) for name in classes]
        fields += [pa.field(name, type_, metadata=metadata) for name in names]
    return pa.schema(fields)
