"""What actors and tasks do: catalog rows in, prediction rows out, never fewer.

Knows catalog columns, pixels and an engine; it knows neither Parquet nor the cluster.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.catalog import Catalog, image_sources
from galaxy_models.config import EngineName
from galaxy_models.images import DecodeRule, decode_files
from galaxy_models.job_log import JobLog
from galaxy_models.schemas import STATUS_FAILED, STATUS_OK, predictions_schema
from galaxy_models.scoring.engines import load_engine
from galaxy_models.scoring.read_ahead import FILES_PER_READ, read_ahead

PIXELS_COLUMN = "_pixels"  # between the two stages only
ERROR_COLUMN = "_error"


@dataclass(frozen=True)
class PredictorPlan:
    """What every actor is told; the same for all."""

    model_uri: str
    catalog: Catalog
    keep: tuple[str, ...]
    classes: tuple[str, ...]
    decode_rule: DecodeRule
    engine: EngineName
    threads: int
    """CPU threads for each actor."""

    batch_size: int
    """Galaxies predicted at once."""

    on_gpus: bool = False

    @property
    def schema(self) -> pa.Schema:
        """The predictions' columns."""
        kept = [self.catalog.schema.field(name) for name in self.keep]
        return predictions_schema(self.catalog.id_type, kept, self.classes)


class Predictor:
    """Ray Data's callable in two stages: loads the model once, predicts pixels."""

    def __init__(self, plan: PredictorPlan, log: JobLog) -> None:
        self.plan = plan
        self.log = log
        self._engine = load_engine(
            plan.engine, plan.model_uri, plan.threads, on_gpu=plan.on_gpus
        )

    def __call__(self, rows: pa.Table) -> pa.Table:
        """Predict some galaxies.

        Args:
            rows: what ``decode_rows`` gave.

        Returns:
            As many rows, in the same order, with the columns of ``plan.schema``.
        """
        size = self.plan.decode_rule.image_size
        pixels = rows[PIXELS_COLUMN].combine_chunks()
        images = np.frombuffer(pixels.buffers()[1], np.uint8)
        images = images.reshape(-1, size, size, 3)
        images = images[pixels.offset : pixels.offset + len(pixels)]
        errors = rows[ERROR_COLUMN].to_pylist()
        probabilities = self.predict(images, errors)
        self.log.flush()
        return prediction_rows(rows, probabilities, errors, self.plan)

    def predict(
        self, images: NDArray[np.uint8], errors: list[str | None]
    ) -> NDArray[np.float32]:
        """Predict decoded galaxies, and count them for the job's log."""
        probabilities = self._engine.predict(images)
        num_failed = sum(error is not None for error in errors)
        self.log.count(rows=len(errors), failed=num_failed)
        return probabilities


class FusedPredictor(Predictor):
    """Ray Data's callable in one stage: reads, decodes and predicts.

    So pixels never travel, and each core has one actor that keeps it busy.
    """

    def __call__(self, rows: pa.Table) -> pa.Table:
        """Predict some galaxies.

        Args:
            rows: the catalog's id, image and kept columns.

        Returns:
            As many rows, in the same order, with the columns of ``plan.schema``.
        """
        probabilities = [np.empty((0, len(self.plan.classes)), np.float32)]
        errors: list[str | None] = []
        for images, image_errors in decoded_batches(rows, self.plan):
            probabilities.append(self.predict(images, image_errors))
            errors.extend(image_errors)
        self.log.flush()
        return prediction_rows(rows, np.concatenate(probabilities), errors, self.plan)


def decoded_batches(
    rows: pa.Table, plan: PredictorPlan
) -> Iterator[tuple[NDArray[np.uint8], list[str | None]]]:
    """Decode galaxies in batches, while the files of the next ones are read."""
    sources = image_sources(rows[plan.catalog.image_column])
    reads_per_batch = -(-plan.batch_size // FILES_PER_READ)
    catalog = plan.catalog
    for files in read_ahead(
        sources, catalog.image_root, reads_per_batch, catalog.allowed_prefixes
    ):
        yield decode_files(files, plan.decode_rule)


def decode_rows(rows: pa.Table, *, plan: PredictorPlan) -> pa.Table:
    """Ray step of the two-stage plan: read and decode the images of some galaxies.

    Args:
        rows: the catalog's id, image and kept columns.
        plan: where images lie and how they are decoded.

    Returns:
        Id and kept columns with the pixels (uint8, image_size × image_size × 3 bytes a
        galaxy, black where it failed) and errors (null, or what failed).
    """
    size = plan.decode_rule.image_size
    images = [np.empty((0, size, size, 3), np.uint8)]
    errors: list[str | None] = []
    for batch, batch_errors in decoded_batches(rows, plan):
        images.append(batch)
        errors.extend(batch_errors)
    pixels = pa.Array.from_buffers(
        pa.binary(3 * size * size),
        len(rows),
        [None, pa.py_buffer(np.concatenate(images))],
    )
    needed = rows.select(list(dict.fromkeys([plan.catalog.id_column, *plan.keep])))
    return needed.append_column(PIXELS_COLUMN, pixels).append_column(
        ERROR_COLUMN, pa.array(errors, pa.string())
    )


def prediction_rows(
    rows: pa.Table,
    probabilities: NDArray[np.float32],
    errors: list[str | None],
    plan: PredictorPlan,
) -> pa.Table:
    """Lay predictions out as the rows that people read.

    Args:
        rows: catalog rows.
        probabilities: float32, shape (rows, classes); ignored where failed.
        errors: None, or what failed, for each row.
        plan: columns and classes.

    Returns:
        A table with the columns of ``plan.schema``; class, confidence and
        probabilities are null where failed.
    """
    failed = np.asarray([error is not None for error in errors], bool)
    best = probabilities.argmax(axis=1)
    classes = np.asarray(plan.classes, object)
    columns = [
        rows[plan.catalog.id_column].cast(plan.catalog.id_type),
        *(rows[name] for name in plan.keep),
        pa.array(classes[best], pa.string(), mask=failed),
        pa.array(probabilities.max(axis=1), pa.float32(), mask=failed),
        *(
            pa.array(probabilities[:, index], pa.float32(), mask=failed)
            for index in range(len(classes))
        ),
        pa.array(np.where(failed, STATUS_FAILED, STATUS_OK), pa.string()),
        pa.array(errors, pa.string()),
    ]
    return pa.table(columns, schema=plan.schema)
