"""A folder of images as a table: id from the file's name, label from its folder's."""

from collections.abc import Iterator
from itertools import islice

import pyarrow as pa

from galaxy_models.storage import glob
from galaxy_models.tables.formats.table import Table

SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp",
    ".fits", ".fit", ".fits.gz", ".fits.fz",
)  # fmt: skip
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
            rows = pa.RecordBatch.from_pylist(
                [self._row(path) for path in some], schema=self.schema
            )
            yield rows.select(columns)

    def _row(self, path: str) -> dict[str, str]:
        folder, _, name = f"{self.uri}/{path}".rpartition("/")
        return {
            "object_id": without_suffix(name),
            "image": path,
            "label": folder.rpartition("/")[2],
        }


def is_image(path: str) -> bool:
    """Whether a file's name is that of an image."""
    return path.lower().endswith(SUFFIXES)


def without_suffix(name: str) -> str:
    """Take an image's suffix off its name."""
    longest = max(
        (suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), key=len
    )
    return name[: -len(longest)]
