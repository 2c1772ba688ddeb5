"""What every wide image can do, whatever its format."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray


class WideImage(ABC):
    """An image that was opened; its pixels are read when they are asked for."""

    height: int
    """Rows."""

    width: int
    """Columns."""

    is_linear: bool
    """Whether pixels are fluxes; else they are a picture's stretched grey levels."""

    is_upside_down: bool
    """Whether people look at it with its last row on top, as at FITS."""

    saturation: float | None
    """Value from which a pixel counts as saturated, in any band; None if unknown."""

    wcs: Any | None = None
    """A celestial ``astropy.wcs.WCS`` for positions that start at 0, if there is one
    that can be used."""

    @abstractmethod
    def read(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Read a region.

        Returns:
            float32, shape (bands, rows, columns), red first; NaN where nothing is
            known.

        Raises:
            ImageDecodeError: the region cannot be read.
        """

    @abstractmethod
    def to_rgb(self, planes: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Turn pixels that ``read`` gave into what a network was trained on.

        Returns:
            uint8, shape (rows, columns, 3), rows as people look at it.
        """

    @abstractmethod
    def close(self) -> None:
        """Give up the file."""
