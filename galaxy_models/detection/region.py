"""A tile of an open image, read: what proposals and measurements look at."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from galaxy_models.detection.noise import Noise, weighted_sum
from galaxy_models.detection.tiles import Tile
from galaxy_models.images.wide_image import WideImage


@dataclass(frozen=True)
class Region:
    """Pixels of a tile with its halo."""

    image: WideImage
    name: str
    """As rows call the image."""

    noise: Noise
    """Of the image."""

    tile: Tile
    planes: NDArray[np.float32]
    """Shape (bands, rows, columns); NaN where nothing is known."""

    @cached_property
    def plane(self) -> NDArray[np.float32]:
        """The weighted sum of the bands, in which sources are sought."""
        return weighted_sum(self.planes, self.noise.weights)

    @cached_property
    def is_saturated(self) -> NDArray[np.bool_]:
        """Pixels that are saturated in any band."""
        limit = self.image.saturation
        if limit is None:
            return np.zeros(self.planes.shape[1:], bool)
        return np.asarray((self.planes >= limit).any(axis=0), bool)


def read_region(image: WideImage, name: str, noise: Noise, tile: Tile) -> Region:
    """Read a tile.

    Raises:
        ImageDecodeError: it cannot be read.
    """
    planes = image.read(tile.whole.rows, tile.whole.columns)
    return Region(image, name, noise, tile, planes)
