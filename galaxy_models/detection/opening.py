"""The images of a request by their number: their names, and opened."""

from dataclasses import dataclass
from functools import cached_property

from galaxy_models.detection.request import Request
from galaxy_models.errors import ImageDecodeError
from galaxy_models.images.wide import open_wide_image
from galaxy_models.images.wide_image import WideImage
from galaxy_models.tables.columns import image_sources
from galaxy_models.tables.formats.numbered_rows import RowReader


@dataclass(frozen=True)
class Images:
    """Opens images of the table."""

    request: Request

    @cached_property
    def _reader(self) -> RowReader:
        catalog = self.request.catalog
        columns = [catalog.id_column, catalog.image_column]
        return RowReader(self.request.rows, columns)

    def name(self, number: int) -> str:
        """How the detections call an image."""
        row = self._reader.read(number, number + 1)
        return str(row[self.request.catalog.id_column][0].as_py())

    def open(self, number: int) -> WideImage:
        """Open an image, which must be as large as when the work began.

        Raises:
            ImageDecodeError: it cannot be opened, or has another size.
        """
        catalog = self.request.catalog
        row = self._reader.read(number, number + 1)
        (source,) = image_sources(row[catalog.image_column])
        image = open_wide_image(
            source, catalog.image_root, self.request.rule, catalog.allowed_prefixes
        )
        expected = tuple(self.request.tiles.shapes[number])
        if (image.height, image.width) != expected:
            raise ImageDecodeError(
                "unreadable",
                f"{image.width}×{image.height} px, but {expected[1]}×{expected[0]}"
                " when the work began",
            )
        if self.request.sidecars is not None:
            shape = image.height, image.width
            found = self.request.sidecars.wcs(self._path(number), shape)
            image.wcs = found or image.wcs
        return image

    def _path(self, number: int) -> str:
        """An image's path, or its name where the table holds its bytes."""
        catalog = self.request.catalog
        row = self._reader.read(number, number + 1)
        (source,) = image_sources(row[catalog.image_column])
        return source if isinstance(source, str) else self.name(number)
