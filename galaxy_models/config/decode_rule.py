"""How an image file becomes the network's input: what can be configured.

This module knows neither files nor pixels.
"""

import math
from dataclasses import dataclass, replace

from galaxy_models.errors import ConfigError

MAX_IMAGE_PIXELS = 64_000_000  # 8000 px squared: far above any cutout, far below a bomb
MAX_IMAGE_BYTES = 4 * MAX_IMAGE_PIXELS  # the largest image in 32-bit floats
FITS_BAND_COUNTS = (0, 1, 3)
FITS_FIELDS = ("fits_bands", "fits_stretch", "fits_q")


@dataclass(frozen=True)
class DecodeRule:
    """How an image file becomes the square input of a network.

    The central square of side ``crop_fraction`` × the shorter side is cut out and
    resized, antialiased (Pillow's bilinear filter, whose support grows with the
    scale, or a close match of it). Nothing is stretched: a galaxy's axis ratio is its
    class. FITS images, whose pixels are fluxes, become RGB before.
    """

    image_size: int
    """Side of the result (px)."""

    crop_fraction: float = 1.0
    """Central fraction of the shorter side that is kept, in (0, 1]."""

    fits_bands: tuple[str, ...] = ()
    """FITS only: names or numbers (from 0) of three bands, red first, or of one (grey);
    empty: the first image in grey, or of a cube of three bands the last as red."""

    fits_stretch: float = 0.5
    """FITS only: flux, in the image's unit, up to which brightness is linear."""

    fits_q: float = 10.0
    """FITS only: softening Q of the asinh stretch; larger values compress bright parts
    more."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigError: naming the value that is out of range.
        """
        if self.image_size < 1:
            raise ConfigError(f"image_size must be at least 1 px, not {self}.")
        if not 0 < self.crop_fraction <= 1:
            raise ConfigError(f"crop_fraction must lie in (0, 1], not {self}.")
        if not are_fits_bands(self.fits_bands):
            raise ConfigError(f"fits_bands must name one or three bands, not {self}.")
        if not is_positive(self.fits_stretch):
            raise ConfigError(f"fits_stretch must be above 0, not {self}.")
        if not is_positive(self.fits_q):
            raise ConfigError(f"fits_q must be above 0, not {self}.")

    def with_fits(
        self,
        bands: tuple[str, ...] | None,
        stretch: float | None,
        q: float | None,
    ) -> "DecodeRule":
        """Give the same rule for FITS images of other bands or another unit.

        Args:
            bands: None: as in this rule, as of the others.
            stretch: flux, in the images' unit.
            q: softening.
        """
        return replace(
            self,
            fits_bands=self.fits_bands if bands is None else bands,
            fits_stretch=self.fits_stretch if stretch is None else stretch,
            fits_q=self.fits_q if q is None else q,
        )


def are_fits_bands(names: tuple[str, ...]) -> bool:
    """Whether there is one band, three, or none (as the file has them)."""
    return len(names) in FITS_BAND_COUNTS and all(names)


def is_positive(value: float) -> bool:
    """Whether a number is above 0 and finite."""
    return math.isfinite(value) and value > 0
