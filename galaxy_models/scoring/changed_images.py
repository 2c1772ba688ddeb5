"""Which images were written after they were scored, as far as dates tell.

A date is that of the file's disk or store. An image that was replaced by one of an
older date is not noticed.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models import storage
from galaxy_models.errors import CatalogError, ImageDecodeError, InputError
from galaxy_models.images.allowed_paths import image_uri
from galaxy_models.tables.catalog import Catalog

NUM_READERS = 16  # threads; a store takes milliseconds to answer


def are_changed(catalog: Catalog, since_s: float) -> NDArray[np.bool_]:
    """Look at the date of every image of a catalog.

    Args:
        catalog: that names them.
        since_s: seconds since 1970.

    Returns:
        bool, shape (rows,): whether the image is there and was written later.

    Raises:
        CatalogError: the catalog holds the images themselves.
        StorageError: an object store does not answer.
    """
    type_ = catalog.schema.field(catalog.image_column).type
    if not (pa.types.is_string(type_) or pa.types.is_large_string(type_)):
        raise CatalogError(
            f"--retry changed: {catalog.uri} holds the images themselves, which have "
            "no dates; leave the word out."
        )
    with ThreadPoolExecutor(NUM_READERS) as readers:
        dates = [
            date
            for batch in catalog.table.read_batches([catalog.image_column])
            for date in readers.map(
                lambda path: _written_s(path, catalog), batch.column(0).to_pylist()
            )
        ]
    return np.asarray(dates, np.float64) > since_s


def _written_s(path: str | None, catalog: Catalog) -> float:
    """When an image was written; never (minus infinity) if it is not there."""
    try:
        uri = image_uri(str(path), catalog.image_root, catalog.allowed_prefixes)
        written_s = storage.modified_s(uri)
    except (ImageDecodeError, InputError, OSError, ValueError):  # as it would fail
        return -np.inf
    return -np.inf if written_s is None else written_s
