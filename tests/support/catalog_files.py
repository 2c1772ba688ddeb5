"""Small catalogs that several tests write, and what they read of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from galaxy_models.simulation import Survey
from galaxy_models.tables.catalog import Catalog
from galaxy_models.tables.formats import ParquetTable

HEADER = "object_id,image\n"

Opener = Callable[..., Catalog]


def unread_catalog(num_rows: int, **changes: Any) -> Catalog:
    """A catalog of which nothing is read: there is no file."""
    catalog = Catalog(
        uri="c",
        table=ParquetTable("c", "/", ("c",), pa.schema([])),
        id_column="object_id",
        image_column="image",
        image_root="/",
        num_rows=num_rows,
        fingerprint="",
    )
    return replace(catalog, **changes)


def rows_of(catalog: Catalog, *columns: str) -> dict[str, list[Any]]:
    batches = catalog.table.read_batches(columns or catalog.schema.names)
    return dict(pa.Table.from_batches(batches).to_pydict())


def frame_of(catalog: Catalog) -> pd.DataFrame:
    return pd.concat(map(pd.read_parquet, catalog.table.uris))


def part(ids: Sequence[Any], **columns: Any) -> pa.Table:
    return pa.table({"object_id": ids, "image": ["1.jpg"] * len(ids), **columns})


def write_part(path: Path, ids: Sequence[int], **columns: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(part(ids, **columns), path)


def repeated(survey: Survey, num_rows: int) -> pd.DataFrame:
    """A survey's galaxies under ids from 0 on, by the full paths of their images."""
    table = pd.read_csv(survey.catalog)
    folder = survey.catalog.parent
    table["image"] = [str(folder / path) for path in table["image"]]
    table = pd.concat([table] * (num_rows // len(table)), ignore_index=True)
    table["object_id"] = range(len(table))
    return table
