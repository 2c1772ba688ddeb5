"""Arrow schemas of the tables that people read: names, types, units, meaning.

This module knows columns only; it neither reads nor writes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

STATUS_OK = "ok"
STATUS_FAILED = "failed"
SPREAD_COLUMN = "probability_spread"
PLAUSIBLE_COLUMN = "plausible_classes"
TARGET = b"target"  # in a field's metadata: the measured number that it is about
QUESTION, ANSWER, LEADS_TO = b"question", b"answer", b"leads_to"  # "" where it ends
# Where a kept column has one of these, an earlier scoring predicted it.
OF_ANOTHER_SCORING = {TARGET, QUESTION, ANSWER, LEADS_TO}
FAMILIARITY_COLUMN = "familiarity"
EMBEDDING_COLUMN = "embedding"


class Column(NamedTuple):
    """A column of the predictions, for people and for file metadata."""

    name: str
    unit: str
    """As the VO writes it; empty for what has none."""

    ucd: str
    """What it is, in the VO's controlled vocabulary (UCD1+)."""

    meaning: str


PREDICTION_COLUMNS = (
    Column(
        "object_id",
        "",
        "meta.id;meta.main",
        "the catalog's id: string, or int64, so that 18-digit ids stay exact",
    ),
    Column(
        "predicted_class", "", "src.class", "the most probable class; null where failed"
    ),
    Column(
        "confidence",
        "",
        "stat.probability",
        "probability of the predicted class, 0 to 1; null where failed",
    ),
    Column(
        "probability_<class>",
        "",
        "stat.probability",
        "calibrated softmax, 0 to 1, one column for each class; null where failed",
    ),
    Column(
        SPREAD_COLUMN,
        "",
        "stat.stdev;stat.probability",
        "with --tta only: standard deviation, over the views of the galaxy, of the "
        "probability of the predicted class, 0 to 0.5; null where failed",
    ),
    Column(
        PLAUSIBLE_COLUMN,
        "",
        "src.class",
        "with --plausible-classes only: list of the classes, the most probable first, "
        "that hold the true one for at least 90 % of galaxies like those of the "
        "validation; empty where failed",
    ),
    Column(
        "<question>_<answer>_fraction",
        "",
        "stat.probability;stat.mean",
        "models of votes only: expected fraction of the volunteers asked who give this "
        "answer, 0 to 1; null where failed",
    ),
    Column(
        "<question>_proportion_volunteers_asked",
        "",
        "stat.probability",
        "models of votes only: expected share of all volunteers who come to this "
        "question, 0 to 1; null where failed",
    ),
    Column(
        "<question>_<answer>_concentration",
        "",
        "stat.param",
        "with --posterior only: concentration of the answer in the Dirichlet "
        "distribution of the fractions of its question, above 0; null where failed",
    ),
    Column(
        FAMILIARITY_COLUMN,
        "",
        "stat.rank",
        "with --familiarity only: share of the training galaxies that look less usual, "
        "0 (like none of them) to 1; float32, null where failed",
    ),
    Column(
        "<target>_mean",
        "",
        "stat.value",
        "models of numbers only: expected value, in the unit of the training's column; "
        "null where failed",
    ),
    Column(
        "<target>_sd",
        "",
        "stat.stdev",
        "models of numbers only: standard deviation of the value, in the same unit; "
        "null where failed",
    ),
    Column("status", "", "meta.code.status", "ok or failed"),
    Column("error", "", "meta.note", "null, or a failure reason, a colon, and details"),
    Column(
        EMBEDDING_COLUMN,
        "",
        "stat.param",
        "with --embedding N only: a list of N numbers (float16), principal components "
        "of what the network found; galaxies that look alike lie near each other; all "
        "NaN where failed",
    ),
)
"""Probabilities are float32. ``jobs/README.md`` lists these."""

CLASS_LIST = pa.list_(pa.string())
COLUMNS_BY_NAME = {column.name: column for column in PREDICTION_COLUMNS}

POSITIONS = {"ra": "pos.eq.ra;meta.main", "dec": "pos.eq.dec;meta.main"}
"""UCDs of kept columns with these names, in degrees, if the catalog gives none."""

DEGREES = ("deg", "degree", "degrees")
"""Units of positions that can be placed on the sky, in lower case."""


def probability_column(class_name: str) -> str:
    """Name the column that holds a class's probability."""
    return f"probability_{class_name}"


def fraction_column(answer: str) -> str:
    """Name the column of the fraction of votes that an answer is expected to get."""
    return f"{answer}_fraction"


def concentration_column(answer: str) -> str:
    """Name the column of an answer's Dirichlet concentration."""
    return f"{answer}_concentration"


def votes_column(answer: str) -> str:
    """Name the column of the votes that an answer got."""
    return f"{answer}_votes"


def mean_column(target: str) -> str:
    """Name the column of the expected value of a measured number."""
    return f"{target}_mean"


def deviation_column(target: str) -> str:
    """Name the column of its standard deviation."""
    return f"{target}_sd"


def asked_column(question: str) -> str:
    """Name the column of the share of volunteers that comes to a question."""
    return f"{question}_proportion_volunteers_asked"


def classes_of(predictions: pa.Schema) -> tuple[str, ...]:
    """Name the classes that a table of predictions has probabilities of.

    ``SPREAD_COLUMN`` is none, unless its metadata say that it is a probability: a class
    may be called so, where views are not averaged.
    """
    prefix = probability_column("")
    after_kept = predictions.names.index("confidence")  # those may be called so, too
    return tuple(
        field.name.removeprefix(prefix)
        for field in list(predictions)[after_kept:]
        if field.name.startswith(prefix)
        and (field.name != SPREAD_COLUMN or _is_probability(field))
    )


def familiarity_column(predictions: pa.Schema) -> list[str]:
    """Name the column of familiarity, if there is one.

    A column that was kept may be called so, too: this one's metadata say what it is.
    """
    return [
        field.name
        for field in predictions
        if field.name == FAMILIARITY_COLUMN
        and (field.metadata or {}).get(b"ucd") == b"stat.rank"
    ]


def _is_probability(field: pa.Field) -> bool:
    return (field.metadata or {}).get(b"ucd") == b"stat.probability"


def predictions_schema(
    object_id: pa.DataType,
    kept: Sequence[pa.Field],
    classes: Sequence[str],
    *,
    spread: bool = False,
    familiarity: bool = False,
    num_components: int = 0,
) -> pa.Schema:
    """Lay out the predictions of a model on a catalog.

    Args:
        object_id: type of the catalog's ids, string or int64.
        kept: the catalog's columns that are copied, with their metadata.
        classes: class names in the model's order.
        spread: whether there is a column ``SPREAD_COLUMN``.
        familiarity: whether there is a column ``FAMILIARITY_COLUMN``.
        num_components: length of the lists of ``EMBEDDING_COLUMN``; 0 for no such
            column.

    Returns:
        One field a column, in the order in which people read them; probabilities
        are float32 and null where the image failed.
    """
    predicted = class_fields(classes, spread=spread)
    if familiarity:
        predicted.append(familiarity_field())
    return rows_schema(object_id, kept, predicted, num_components)


def rows_schema(
    object_id: pa.DataType,
    kept: Sequence[pa.Field],
    predicted: Sequence[pa.Field],
    num_components: int = 0,
) -> pa.Schema:
    """Put what is predicted between a row's id, with its kept columns, and its status.

    Args:
        object_id: type of the catalog's ids, string or int64.
        kept: the catalog's columns that are copied, with their metadata.
        predicted: null where the image failed.
        num_components: as for ``predictions_schema``.
    """
    return pa.schema(
        [
            described_field("object_id", object_id),
            *map(kept_field, kept),
            *predicted,
            described_field("status", pa.string()),
            described_field("error", pa.string()),
            *([embedding_field(num_components)] if num_components else []),
        ]
    )


def kept_field(column: pa.Field) -> pa.Field:
    """Say how a catalog's column is kept: the same, whoever wrote the catalog.

    Args:
        column: the catalog's.

    Returns:
        The column, which may hold nulls, and whose texts are ``string``: pandas 3 and
        Polars write ``large_string``. Without what says that an earlier scoring
        predicted it; a position has a unit and a UCD.
    """
    is_large = pa.types.is_large_string(column.type)
    type_ = pa.string() if is_large else column.type
    known = (column.metadata or {}).items()
    metadata = {key: value for key, value in known if key not in OF_ANOTHER_SCORING}
    ucd = POSITIONS.get(column.name.lower())
    if ucd is not None and pa.types.is_floating(type_) and b"ucd" not in metadata:
        metadata = {b"unit": b"deg", b"ucd": ucd.encode(), **metadata}
    column = column.with_type(type_).with_nullable(True)
    return column.with_metadata(metadata or None)


def class_fields(
    classes: Sequence[str], *, spread: bool = False, plausible: bool = False
) -> list[pa.Field]:
    """Lay out what is predicted of a galaxy's class; see ``predictions_schema``."""
    return [
        described_field("predicted_class", pa.string()),
        described_field("confidence", pa.float32()),
        *(
            described_field(
                probability_column(name), pa.float32(), "probability_<class>"
            )
            for name in classes
        ),
        *([described_field(SPREAD_COLUMN, pa.float32())] if spread else []),
        *([described_field(PLAUSIBLE_COLUMN, CLASS_LIST)] if plausible else []),
    ]


def familiarity_field() -> pa.Field:
    """Describe the column ``FAMILIARITY_COLUMN``."""
    return described_field(FAMILIARITY_COLUMN, pa.float32())


def embedding_field(num_components: int) -> pa.Field:
    """Describe the column ``EMBEDDING_COLUMN``."""
    return described_field(EMBEDDING_COLUMN, pa.list_(pa.float16(), num_components))


def described_field(
    name: str, type_: pa.DataType, described_as: str | None = None
) -> pa.Field:
    """Make a column that says what it is.

    Args:
        name: the column's.
        type_: of its values.
        described_as: its name in ``PREDICTION_COLUMNS``, where that is another.
    """
    column = COLUMNS_BY_NAME[described_as or name]
    metadata = {"description": column.meaning, "ucd": column.ucd}
    if column.unit:
        metadata["unit"] = column.unit
    return pa.field(name, type_, metadata=metadata)
