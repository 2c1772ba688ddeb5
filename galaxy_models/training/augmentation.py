"""Random views of a galaxy: rotation, shift, zoom and flips as one affine map.

A galaxy has no up and no left, so every view keeps its class. Moved views are
resampled, so smoother than what a model predicts; some may therefore stay where they
are (training and prediction see images otherwise: Touvron et al. 2019,
arXiv:1906.06423). The parameters are drawn with NumPy from a seed; OpenCV resamples,
once an image however many views are asked for, in a seventh of the CPU time of
``keras.ops.image.affine_transform`` (at 224 px, 0.3 against 2 ms an image).
"""

from concurrent.futures import Executor

import cv2
import numpy as np
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig
from galaxy_models.training.degradation import Degradations, degrade

IMAGES_PER_CALL = 8  # handing work to a thread costs as much as a small image


def random_transforms(
    rng: np.random.Generator, num_images: int, config: TrainConfig
) -> NDArray[np.float32]:
    """Draw one affine map an image.

    Args:
        rng: source of randomness; the same state gives the same maps.
        num_images: how many.
        config: the share of images that are moved, the largest rotation (deg), shift
            and zoom (shares), the flips, and the sides of a view and of the image with
            its margin.

    Returns:
        float32, shape (num_images, 6): rows a0 a1 a2 b0 b1 b2 that map a view's pixel
        (x, y) to the image's pixel (a0 x + a1 y + a2, b0 x + b1 y + b2).
    """
    (own_rng,) = rng.spawn(1)  # leaves the other draws as they were without this flag
    is_moved = own_rng.uniform(size=num_images) < config.moved_fraction
    turn, zoom, *shift = rng.uniform(-1, 1, (4, num_images)) * is_moved
    angle = np.radians(turn * config.rotation_deg)
    scale = 1 + zoom * config.zoom_fraction
    shift_x, shift_y = np.multiply(shift, config.shift_fraction * config.image_size)
    mirror_x = _random_signs(rng, num_images, config.horizontal_flip)
    mirror_y = _random_signs(rng, num_images, config.vertical_flip)
    centre, source = (config.image_size - 1) / 2, (config.decoded_size - 1) / 2
    a0, a1 = scale * mirror_x * np.cos(angle), -scale * mirror_x * np.sin(angle)
    b0, b1 = scale * mirror_y * np.sin(angle), scale * mirror_y * np.cos(angle)
    a2 = source + shift_x - centre * (a0 + a1)
    b2 = source + shift_y - centre * (b0 + b1)
    return np.stack([a0, a1, a2, b0, b1, b2], axis=1).astype(np.float32)


def _random_signs(
    rng: np.random.Generator, num_images: int, mirror: bool
) -> NDArray[np.float64]:
    draws = rng.integers(0, 2, num_images)  # drawn either way: seeds stay comparable
    return np.where(draws * mirror, -1.0, 1.0)


def central_views(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Cut the margin off: what a network sees of images that are not augmented.

    Args:
        images: uint8, shape (batch, side, side, 3).
        size: side of a view (px), at most the images'.

    Returns:
        uint8, shape (batch, size, size, 3); a view of the same memory.
    """
    start = (images.shape[1] - size) // 2
    return images[:, start : start + size, start : start + size]


def augment_images(
    images: NDArray[np.uint8],
    transforms: NDArray[np.float32],
    degradations: Degradations | None,
    size: int,
    pool: Executor,
) -> NDArray[np.uint8]:
    """Resample a batch by its affine maps, and degrade it.

    Args:
        images: uint8, shape (batch, side, side, 3).
        transforms: float32, shape (batch, 6); see ``random_transforms``.
        degradations: of as many images; None for none.
        size: side of a view (px).
        pool: what computes, some images at a time.

    Returns:
        uint8, shape (batch, size, size, 3) (bilinear, rounded); what comes from outside
        the image is black, as the sky is.
    """

    def some(start: int) -> NDArray[np.uint8]:
        part = slice(start, start + IMAGES_PER_CALL)
        views = _transform(images[part], transforms[part], size)
        return views if degradations is None else degrade(views, degradations.of(part))

    starts = range(0, len(images), IMAGES_PER_CALL)
    return np.concatenate(list(pool.map(some, starts)))


def _transform(
    images: NDArray[np.uint8], transforms: NDArray[np.float32], size: int
) -> NDArray[np.uint8]:
    cv2.setNumThreads(1)  # 0.5 µs; the pool has the threads
    views = np.empty((len(images), size, size, 3), np.uint8)
    for image, view, transform in zip(images, views, transforms, strict=True):
        cv2.warpAffine(
            image,
            transform.reshape(2, 3),
            (size, size),
            dst=view,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
        )
    return views
