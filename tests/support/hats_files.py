"""Small HATS catalogs and collections, written by the package ``hats`` itself.

It is imported with the first of them: that takes two seconds.
"""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ORDER = 1  # of the pixels of all partitions

# Far from each other: two in one pixel, the others in one of their own.
GALAXIES = pa.table(
    {
        "id": [11, 12, 13, 14, 15],
        "image": ["1.jpg"] * 5,
        "meanra": [10.0, 10.1, 100.0, 200.0, 300.0],
        "meandec": [20.0, 20.1, -40.0, 0.0, 60.0],
    }
)


def write_collection(folder: Path, galaxies: pa.Table = GALAXIES) -> Path:
    """Write a collection of a catalog, its margin and an index of its ids."""
    from hats.catalog.dataset.collection_properties import CollectionProperties

    write_catalog(folder / "galaxies", galaxies)
    primary = {"primary_catalog": "galaxies"}
    write_catalog(
        folder / "galaxies_10arcs",
        galaxies.slice(0, 2),
        catalog_type="margin",
        margin_threshold=10.0,
        **primary,
    )
    index = folder / "galaxies_id"
    (index / "dataset" / "index").mkdir(parents=True)
    ids = galaxies.select(["id"]).append_column("Norder", pa.array([ORDER] * 5))
    pq.write_table(ids, index / "dataset" / "index" / "part.0.parquet")
    _write_properties(index, catalog_type="index", indexing_column="id", **primary)
    CollectionProperties(
        name="galaxies",
        hats_primary_table_url="galaxies",
        all_margins=["galaxies_10arcs"],
        default_margin="galaxies_10arcs",
        all_indexes={"id": "galaxies_id"},
    ).to_properties_file(folder)
    return folder


def write_catalog(folder: Path, galaxies: pa.Table, **properties: Any) -> None:
    """Write a catalog, each of its pixels at ``ORDER`` a file."""
    from hats.catalog import PartitionInfo
    from hats.io import paths
    from hats.io.parquet_metadata import write_parquet_metadata
    from hats.pixel_math import HealpixPixel, compute_spatial_index

    index = compute_spatial_index(
        galaxies["meanra"].to_numpy(), galaxies["meandec"].to_numpy()
    )
    rows = galaxies.add_column(0, "_healpix_29", pa.array(index))
    numbers = index >> 2 * (29 - ORDER)
    pixels = [HealpixPixel(ORDER, int(number)) for number in sorted(set(numbers))]
    for pixel in pixels:
        own_rows = rows.filter(pa.array(numbers == pixel.pixel))
        pq.write_table(own_rows, paths.new_pixel_catalog_file(folder, pixel).path)
    PartitionInfo.from_healpix(pixels).write_to_file(catalog_path=folder)
    write_parquet_metadata(folder, create_thumbnail=True)
    known = {
        "total_rows": len(rows),
        "ra_column": "meanra",
        "dec_column": "meandec",
        "healpix_column": "_healpix_29",
        "healpix_order": 29,
    }
    _write_properties(folder, **{"catalog_type": "object", **known, **properties})


def _write_properties(folder: Path, **properties: Any) -> None:
    from hats.catalog import TableProperties

    table = TableProperties(catalog_name=folder.name, **properties)
    table.to_properties_file(folder)
