"""A folder of images as a table: id from the file's name, label from its folder's."""

import re
from collections.abc import Iterator
from itertools import islice

import pyarrow as pa

from galaxy_models import storage
from galaxy_models.storage import glob
from galaxy_models.tables.formats.table import Table

SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp",
    ".fits", ".fit", ".fits.gz", ".fits.fz",
)  # fmt: skip
SUFFIX = re.compile(f"({'|'.join(map(re.escape, SUFFIXES))})$", re.IGNORECASE)
ROWS_PER_BATCH = 10_000


class ImageFolder(Table):
    """Every image below a folder."""

    repeated_ids_remedy = (
        "ids are the names of the files: rename these, or list them in a table with "
        "ids of their own"
    )
    schema = pa.schema(
        [("object_id", pa.string()), ("image", pa.string()), ("label", pa.string())]
    )

    def __init__(self, uri: str) -> None:
        self.uri = self.image_root = uri

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        paths = (path for path in glob.walk_files(self.uri) if is_image(path))
        while some := list(islice(paths, ROWS_PER_BATCH)):
            yield self._rows(some).select(columns)

    def _rows(self, paths: list[str]) -> pa.RecordBatch:
        places = [f"{self.uri}/{path}".rsplit("/", 2) for path in paths]
        columns = {
            "object_id": [without_suffix(name) for _, _, name in places],
            "image": paths,
            "label": [folder for _, folder, _ in places],
        }
        return pa.RecordBatch.from_pydict(columns, schema=self.schema)


class ImageFile(ImageFolder):
    """A single image as a table of one row."""

    def __init__(self, uri: str) -> None:
        super().__init__(storage.parent(uri))
        self.uri = uri

    def _batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        name = self.uri.rpartition("/")[2]
        row = {
            "object_id": [without_suffix(name)],
            "image": [name],
            "label": [self.image_root.rpartition("/")[2]],
        }
        yield pa.RecordBatch.from_pydict(row, schema=self.schema).select(columns)


def is_image(path: str) -> bool:
    """Whether a file's name is that of an image."""
    return path.lower().endswith(SUFFIXES)


def without_suffix(name: str) -> str:
    """Take an image's suffix off its name."""
    return SUFFIX.sub("", name)
