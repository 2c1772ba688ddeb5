"""Random views of a galaxy: rotation, shift, zoom and flips as one affine map.

A galaxy has no up and no left, so every view keeps its class. The parameters are
drawn with NumPy from a seed; OpenCV resamples, once an image however many views are
asked for, in a seventh of the CPU time of ``keras.ops.image.affine_transform`` (at 224
px, 0.3 against 2 ms an image).
"""

from concurrent.futures import Executor

import cv2
import numpy as np
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig

IMAGES_PER_CALL = 8  # handing work to a thread costs as much as a small image


def random_transforms(
    rng: np.random.Generator, num_images: int, config: TrainConfig
) -> NDArray[np.float32]:
    """Draw one affine map an image.

    Args:
        rng: source of randomness; the same state gives the same maps.
        num_images: how many.
        config: the largest rotation (deg), shift and zoom (shares), and the flips.

    Returns:
        float32, shape (num_images, 6): rows a0 a1 a2 b0 b1 b2 that map an output pixel
        (x, y) to the input pixel (a0 x + a1 y + a2, b0 x + b1 y + b2).
    """
    angle = np.radians(rng.uniform(-1, 1, num_images) * config.rotation_deg)
    scale = 1 + rng.uniform(-1, 1, num_images) * config.zoom_fraction
    shift_x, shift_y = (
        rng.uniform(-1, 1, (2, num_images)) * config.shift_fraction * config.image_size
    )
    mirror_x = _random_signs(rng, num_images, config.horizontal_flip)
    mirror_y = _random_signs(rng, num_images, config.vertical_flip)
    centre = (config.image_size - 1) / 2
    a0, a1 = scale * mirror_x * np.cos(angle), -scale * mirror_x * np.sin(angle)
    b0, b1 = scale * mirror_y * np.sin(angle), scale * mirror_y * np.cos(angle)
    a2 = centre + shift_x - centre * (a0 + a1)
    b2 = centre + shift_y - centre * (b0 + b1)
    return np.stack([a0, a1, a2, b0, b1, b2], axis=1).astype(np.float32)


def _random_signs(
    rng: np.random.Generator, num_images: int, mirror: bool
) -> NDArray[np.float64]:
    draws = rng.integers(0, 2, num_images)  # drawn either way: seeds stay comparable
    return np.where(draws * mirror, -1.0, 1.0)


def transform_images(
    images: NDArray[np.uint8], transforms: NDArray[np.float32], pool: Executor
) -> NDArray[np.uint8]:
    """Resample a batch by its affine maps.

    Args:
        images: uint8, shape (batch, size, size, 3).
        transforms: float32, shape (batch, 6); see ``random_transforms``.
        pool: what computes, some images at a time.

    Returns:
        uint8, of the same shape (bilinear, rounded); what comes from outside the frame
        is black, as the sky is.
    """
    starts = range(0, len(images), IMAGES_PER_CALL)
    some_images = (images[start : start + IMAGES_PER_CALL] for start in starts)
    some_maps = (transforms[start : start + IMAGES_PER_CALL] for start in starts)
    return np.concatenate(list(pool.map(_transform_some, some_images, some_maps)))


def _transform_some(
    images: NDArray[np.uint8], transforms: NDArray[np.float32]
) -> NDArray[np.uint8]:
    cv2.setNumThreads(1)  # 0.5 µs; the pool has the threads
    views = np.empty_like(images)
    for image, view, transform in zip(images, views, transforms, strict=True):
        cv2.warpAffine(
            image,
            transform.reshape(2, 3),
            image.shape[:2],
            dst=view,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
        )
    return views
