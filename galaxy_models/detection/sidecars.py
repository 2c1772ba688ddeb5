"""Sky coordinates that lie beside images: FITS headers, as astrometry.net writes them.

The sidecar of ``field/a.jpg`` is ``field/a.wcs`` in the folder of sidecars; its pixels
count in the order of the image's array, the first one as 1, as in any FITS header.
"""

import warnings
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from galaxy_models import storage
from galaxy_models.errors import CatalogError
from galaxy_models.images.wide_fits import celestial_wcs
from galaxy_models.storage import glob
from galaxy_models.tables.formats.image_folder import without_suffix

SUFFIX = ".wcs"
MAX_BYTES = 16 * 2**20  # a header has a few kB


@dataclass(frozen=True)
class Sidecars:
    """A folder of headers."""

    folder: str
    """URI."""

    def wcs(self, image: str, shape: tuple[int, int]) -> Any | None:
        """Find an image's sky coordinates.

        Args:
            image: its name; of a full path or URI the last part counts.
            shape: its rows and columns.

        Returns:
            A celestial ``astropy.wcs.WCS``; None without a sidecar, or if that cannot
            be used.
        """
        path = PurePosixPath(image)
        is_whole = path.is_absolute() or storage.is_remote(image)
        name = without_suffix(path.name if is_whole else image) + SUFFIX
        uri = storage.join(self.folder, name)
        if ".." in PurePosixPath(name).parts or not storage.is_file(uri):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # small sins against the standard
            header = _parsed(storage.read_bytes(uri, MAX_BYTES))
            return None if header is None else celestial_wcs(header, shape)


def _parsed(data: bytes) -> Any | None:
    from astropy.io import fits

    try:
        return fits.Header.fromstring(data)
    except Exception:  # astropy raises many types of errors
        return None


def open_sidecars(folder: str) -> Sidecars:
    """Check that a folder holds sidecars.

    Raises:
        CatalogError: it does not.
    """
    uri = storage.absolute_uri(folder)
    if storage.is_folder(uri):
        for path in glob.walk_files(uri):
            if path.endswith(SUFFIX):
                return Sidecars(uri)
    raise CatalogError(
        f"--wcs {folder} is no folder with files *{SUFFIX}, each the FITS header of an "
        "image of that name."
    )
