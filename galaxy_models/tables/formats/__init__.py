"""Any table of galaxies -> Arrow batches and a schema; one module per format.

    parquet.py        file, folder, pattern; Hive partitions
    hats.py           HATS catalogs and collections
    delimited.py      CSV, TSV
    fits.py           binary tables
    votable.py        VOTables
    image_folder.py   images without a table
    webdataset.py     tar shards

Knows files and columns; it does not know what columns mean.
"""

from galaxy_models.tables.formats.opening import open_images, open_table
from galaxy_models.tables.formats.parquet import (
    ParquetTable,
    open_parquet,
    open_parquet_folder,
)
from galaxy_models.tables.formats.table import Table

__all__ = [
    "ParquetTable",
    "Table",
    "open_images",
    "open_parquet",
    "open_parquet_folder",
    "open_table",
]
