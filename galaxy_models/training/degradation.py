"""Random degradations of a view: worse seeing, less depth, other colours, compression.

A network that has seen only one survey's best images is too sure of others'. The
amounts are drawn with NumPy from a seed, so that a galaxy's view is the same however
many workers there are.
"""

from typing import NamedTuple, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig

BEST_QUALITY = 100  # of JPEG; stands for none here
SMALLEST_BLUR_PX = 0.2  # below it a Gaussian's side taps are under 1e-5


class Degradations(NamedTuple):
    """What is done to each of some images, in this order."""

    blur_px: NDArray[np.float32]
    """Standard deviation of a Gaussian, shape (images,)."""

    gains: NDArray[np.float32]
    """Factor of each band, shape (images, 3)."""

    noise_levels: NDArray[np.float32]
    """Standard deviation of Gaussian noise, in grey levels, shape (images,)."""

    noise_seeds: NDArray[np.int64]
    """Of the noise, shape (images,)."""

    jpeg_qualities: NDArray[np.int64]
    """Shape (images,); 100 for none."""

    def of(self, index: slice | list[int]) -> Self:
        """Choose some of the images."""
        return self._replace(
            **{name: values[index] for name, values in self._asdict().items()}
        )


def random_degradations(
    rng: np.random.Generator, num_images: int, config: TrainConfig
) -> Degradations | None:
    """Draw what is done to each image.

    Args:
        rng: source of randomness; the same state gives the same draws.
        num_images: how many.
        config: share of images that are degraded, and the largest amounts.

    Returns:
        None where all amounts are 0.
    """
    worst_quality = config.jpeg_quality
    largest = (config.blur_fraction, config.noise_levels, config.colour_fraction)
    if not any(largest) and worst_quality == BEST_QUALITY:
        return None
    is_degraded = rng.uniform(size=num_images) < config.degraded_fraction
    strengths = rng.uniform(size=(3, num_images)) * is_degraded
    signed = rng.uniform(-1, 1, (num_images, 3)) * is_degraded[:, None]
    lost = np.rint(strengths[2] * (BEST_QUALITY - worst_quality))
    return Degradations(
        blur_px=_float32(strengths[0] * config.blur_fraction * config.image_size),
        gains=_float32(1 + signed * config.colour_fraction),
        noise_levels=_float32(strengths[1] * config.noise_levels),
        noise_seeds=rng.integers(0, 2**62, num_images),
        jpeg_qualities=BEST_QUALITY - lost.astype(np.int64),
    )


def _float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return values.astype(np.float32)


def degrade(images: NDArray[np.uint8], degradations: Degradations) -> NDArray[np.uint8]:
    """Degrade some images.

    Args:
        images: uint8, RGB, shape (images, size, size, 3).
        degradations: of as many.

    Returns:
        uint8, of the same shape.
    """
    rows = zip(*degradations, strict=True)
    return np.stack(
        [_degrade_one(image, *row) for image, row in zip(images, rows, strict=True)]
    )


def _degrade_one(
    image: NDArray[np.uint8],
    blur_px: float,
    gains: NDArray[np.float32],
    noise_levels: float,
    noise_seed: int,
    jpeg_quality: int,
) -> NDArray[np.uint8]:
    pixels: NDArray[np.float32] = image.astype(np.float32)
    if blur_px > SMALLEST_BLUR_PX:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), float(blur_px)))
    pixels *= gains
    if noise_levels > 0:
        rng = np.random.default_rng(noise_seed)
        pixels += noise_levels * rng.standard_normal(pixels.shape, np.float32)
    degraded = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    if jpeg_quality < BEST_QUALITY:
        degraded = _compress(degraded, int(jpeg_quality))
    return degraded


def _compress(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Compress an image as JPEG, and decode it."""
    _, data = cv2.imencode(
        ".jpg",
        cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
        (cv2.IMWRITE_JPEG_QUALITY, quality),
    )
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
