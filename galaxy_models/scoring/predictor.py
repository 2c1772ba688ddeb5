"""One predicting actor: catalog rows in, prediction rows out, never fewer.

Reads, decodes and predicts in one place, so that pixels never travel. It knows
catalog columns and an engine; it knows neither Parquet nor the cluster.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.catalog import Catalog
from galaxy_models.images import DecodeRule, read_images
from galaxy_models.job_log import JobLog
from galaxy_models.schemas import STATUS_FAILED, STATUS_OK, predictions_schema
from galaxy_models.scoring.engines import Engine, KerasEngine


@dataclass(frozen=True)
class PredictorPlan:
    """What every actor is told; the same for all."""

    model_uri: str
    catalog: Catalog
    keep: tuple[str, ...]
    classes: tuple[str, ...]
    decode_rule: DecodeRule
    threads: int
    """CPU threads for each actor."""

    @property
    def schema(self) -> pa.Schema:
        """The predictions' columns."""
        kept = [self.catalog.schema.field(name) for name in self.keep]
        return predictions_schema(self.catalog.id_type, kept, self.classes)


class Predictor:
    """Callable for Ray Data: loads the model once, then predicts batch after batch."""

    def __init__(self, plan: PredictorPlan, log: JobLog) -> None:
        self._plan = plan
        self._log = log
        self._engine: Engine = KerasEngine(plan.model_uri, plan.threads)

    def __call__(self, rows: pa.Table) -> pa.Table:
        """Predict some galaxies.

        Args:
            rows: the catalog's id, image and kept columns.

        Returns:
            As many rows, in the same order, with the columns of ``plan.schema``.
        """
        catalog = self._plan.catalog
        paths = rows[catalog.image_column].to_pylist()
        images, errors = read_images(paths, catalog.image_root, self._plan.decode_rule)
        probabilities = self._engine.predict(images)
        num_failed = sum(error is not None for error in errors)
        self._log.count(rows=len(errors), failed=num_failed)
        return prediction_rows(rows, probabilities, errors, self._plan)


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
