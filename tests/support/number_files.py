"""Small tables of predicted numbers, as jobs.score writes them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from galaxy_models.models.heads import Target
from galaxy_models.scoring.answers import target_fields
from galaxy_models.tables.prediction_schema import rows_schema

RADIUS = Target("radius", 4.0, 2.0, "arcsec", "phys.angSize")
BULGE = Target("bulge", 0.3, 0.1)
FAILED = "truncated: the file ends early"


def write_numbers(
    folder: Path,
    rows: Mapping[Any, Sequence[float] | str],
    targets: Sequence[Target] = (RADIUS,),
    kept: Mapping[str, pa.Array] | None = None,
) -> Path:
    """Write a file of predictions.

    Args:
        folder: made if needed.
        rows: by object id: mean and standard deviation of each target in turn; or the
            error where the image failed.
        targets: the model's.
        kept: further columns.
    """
    ids = pa.array(list(rows))
    errors = [one if isinstance(one, str) else None for one in rows.values()]
    nothing = [np.nan] * 2 * len(targets)
    values = [nothing if isinstance(one, str) else one for one in rows.values()]
    columns = np.asarray(values, np.float32).reshape(-1, len(nothing)).T
    there = kept or {}
    arrays = [
        ids,
        *there.values(),
        *(pa.array(column, from_pandas=True) for column in columns),
        pa.array(["failed" if error else "ok" for error in errors]),
        pa.array(errors, pa.string()),
    ]
    fields = [pa.field(name, array.type) for name, array in there.items()]
    predicted = [field for target in targets for field in target_fields(target)]
    schema = rows_schema(ids.type, fields, predicted)
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_arrays(arrays, schema=schema)
    pq.write_table(table, folder / "part-000000.parquet")
    return folder
