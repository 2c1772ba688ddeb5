"""The files of a HATS catalog beside its rows, and the form of those.

    dataset/Norder=3/Dir=0/Npix=41.parquet    a partition
    dataset/_metadata, _common_metadata       footers of all partitions; columns
    data_thumbnail.parquet                    the first row of each partition
    partition_info.csv                        the pixels
    skymap.fits, point_map.fits               galaxies per pixel, twice: by its new name
                                              and its old one
    hats.properties, properties               what the catalog is: likewise

Every file is written whole. This module does not know where the rows come from.

Source:
    HATS (IVOA note, 2025), https://www.ivoa.net/documents/Notes/HATS/, as ``hats`` 0.11
    writes and reads it.
"""

import re
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.tables.formats.hats import (
    DATA_NAME,
    FOOTERS_NAME,
    PARTITIONS_NAME,
    PROPERTIES_NAMES,
)
from galaxy_models.tables.hats.pixels import (
    HISTOGRAM_ORDER,
    INDEX_COLUMN,
    INDEX_ORDER,
    Partition,
)

COMPRESSION = "zstd"
ROWS_PER_GROUP = 100_000  # readers skip groups by the range of the index
COLUMNS_NAME = "_common_metadata"
THUMBNAIL_NAME = "data_thumbnail.parquet"
SKYMAP_NAMES = ("skymap.fits", "point_map.fits")
NAMES = (DATA_NAME, THUMBNAIL_NAME, PARTITIONS_NAME, *SKYMAP_NAMES, *PROPERTIES_NAMES)
HATS_VERSION = "v1.0"
HATS_RELEASE_DATE = "2025-08-22"


def partition_uri(catalog: str, partition: Partition) -> str:
    """Where a partition's file lies."""
    return storage.join(catalog, f"{DATA_NAME}/{partition.path}")


def write_partition(catalog: str, partition: Partition, rows: pa.Table) -> None:
    """Write a partition's rows, which are sorted by their index."""
    index = rows.schema.get_field_index(INDEX_COLUMN)
    stream = pa.BufferOutputStream()
    pq.write_table(
        rows,
        stream,
        row_group_size=ROWS_PER_GROUP,
        compression=COMPRESSION,
        sorting_columns=[pq.SortingColumn(index)],
    )
    storage.write_bytes(partition_uri(catalog, partition), stream.getvalue())


def write_footers(catalog: str, partitions: Sequence[Partition]) -> int:
    """Write what readers need to know of all partitions, and the thumbnail.

    Returns:
        The rows of the partitions.
    """
    first_rows, footers = [], []
    for partition in partitions:
        filesystem, path = storage.filesystem_and_path(
            partition_uri(catalog, partition)
        )
        with pq.ParquetFile(path, filesystem=filesystem) as file:
            file.metadata.set_file_path(partition.path)
            footers.append(file.metadata)
            first_rows.append(next(file.iter_batches(batch_size=1)))
    thumbnail = pa.Table.from_batches(first_rows)
    whole = footers[0]
    for footer in footers[1:]:
        whole.append_row_groups(footer)
    stream = pa.BufferOutputStream()
    pq.write_table(thumbnail, stream, compression=COMPRESSION)
    contents = {
        f"{DATA_NAME}/{FOOTERS_NAME}": _footer_file(whole),
        f"{DATA_NAME}/{COLUMNS_NAME}": _columns_file(thumbnail.schema),
        THUMBNAIL_NAME: stream.getvalue(),
    }
    for name, data in contents.items():
        storage.write_bytes(storage.join(catalog, name), data)
    return int(whole.num_rows)


def _footer_file(footer: pq.FileMetaData) -> pa.Buffer:
    stream = pa.BufferOutputStream()
    footer.write_metadata_file(stream)
    return stream.getvalue()


def _columns_file(schema: pa.Schema) -> pa.Buffer:
    stream = pa.BufferOutputStream()
    pq.write_metadata(schema, stream)
    return stream.getvalue()


def write_partition_list(catalog: str, partitions: Sequence[Partition]) -> None:
    """List the pixels that have galaxies."""
    lines = ["Norder,Npix", *(f"{one.order},{one.pixel}" for one in partitions)]
    text = "\n".join(lines) + "\n"
    storage.write_bytes(storage.join(catalog, PARTITIONS_NAME), text.encode())


def write_skymap(catalog: str, histogram: NDArray[np.int64]) -> None:
    """Write how many galaxies there are in each pixel.

    Args:
        catalog: URI of the catalog.
        histogram: at ``HISTOGRAM_ORDER``, nested.
    """
    from cdshealpix.skymap.skymap import SkymapImplicit

    skymap = SkymapImplicit(histogram, null_value=0)
    if np.count_nonzero(histogram) < len(histogram) / 2:
        skymap = skymap.to_explicit()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "skymap.fits"
        skymap.to_fits(str(path))
        data = path.read_bytes()
    for name in SKYMAP_NAMES:
        storage.write_bytes(storage.join(catalog, name), data)


def write_properties(
    catalog: str,
    partitions: Sequence[Partition],
    max_rows: int,
    positions: tuple[str, str],
) -> None:
    """Write what the catalog is; from then on readers take its folder for one.

    Args:
        catalog: URI of the catalog; its last name becomes the catalog's.
        partitions: all of them.
        max_rows: galaxies per partition that were asked for.
        positions: names of the columns of right ascension and declination.
    """
    lines = _properties(catalog, partitions, max_rows, positions)
    text = "\n".join(["#HATS catalog", *lines])
    for name in reversed(PROPERTIES_NAMES):
        storage.write_bytes(storage.join(catalog, name), text.encode() + b"\n")


def _properties(
    catalog: str,
    partitions: Sequence[Partition],
    max_rows: int,
    positions: tuple[str, str],
) -> Iterator[str]:
    sky_fraction = sum(1 / (12 * 4**partition.order) for partition in partitions)
    properties = {
        "obs_collection": re.sub(r"\W+", "_", catalog.rpartition("/")[2]),
        "dataproduct_type": "object",
        "hats_nrows": sum(partition.num_rows for partition in partitions),
        "hats_col_ra": positions[0],
        "hats_col_dec": positions[1],
        "hats_col_healpix": INDEX_COLUMN,
        "hats_col_healpix_order": INDEX_ORDER,
        "hats_npix_suffix": ".parquet",
        "hats_skymap_order": HISTOGRAM_ORDER,
        "hats_max_rows": max_rows,
        "hats_order": max(partition.order for partition in partitions),
        "moc_sky_fraction": f"{sky_fraction:.5f}",
        "hats_builder": f"galaxy-batch v{metadata.version('galaxy-batch')}",
        "hats_creation_date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MUTC"),
        "hats_release_date": HATS_RELEASE_DATE,
        "hats_version": HATS_VERSION,
    }
    return (f"{key}={value}" for key, value in properties.items())
