"""A galaxy seen in all orientations, and what a network makes of them together.

The sky has no upright: an image mirrored, or turned by a right angle, shows the same
galaxy. These eight views of a square are exact, pixel by pixel; nothing is resampled.
A network is not as even-handed: the mean over views does not depend on how the galaxy
happened to lie, and their spread says how far the answer of a single one would have.

Knows arrays only.

Source:
    Dieleman et al. 2015, arXiv:1503.07077 (galaxies, averaged over orientations).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from galaxy_models.config import TtaName

NUM_VIEWS: dict[TtaName, int] = {"none": 1, "flips": 4, "dihedral": 8}


def symmetric_views(
    images: NDArray[np.uint8], tta: TtaName
) -> Iterator[NDArray[np.uint8]]:
    """Turn and mirror a batch, a view at a time, so that memory holds one more batch.

    Args:
        images: uint8, shape (galaxies, size, size, 3).
        tta: ``none``: the images alone; ``flips``: also left-right, top-bottom and both
            (a half turn); ``dihedral``: these of the image and of its transpose, which
            are all eight symmetries of a square.

    Yields:
        Contiguous arrays of the same shape; the images as they are come first.
    """
    orientations = [images]
    if tta == "dihedral":
        orientations.append(images.swapaxes(1, 2))
    steps = (1,) if tta == "none" else (1, -1)
    for orientation in orientations:
        for along_rows in steps:
            for along_columns in steps:
                view = orientation[:, ::along_rows, ::along_columns]
                yield np.ascontiguousarray(view)


def average_views(
    views: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Average the predictions for a galaxy's views.

    Args:
        views: float32, shape (views, galaxies, classes); rows sum to 1.

    Returns:
        Probabilities: float32, shape (galaxies, classes), the mean over views; of one
        view, its very bits. Spread: float32, shape (galaxies,), the standard deviation
        over views of the probability of the class whose mean is largest, from 0 (every
        view says the same) to 0.5 (half of them are certain of it, half of others).
    """
    # In float64 a sum of equal float32 values is exact, so that their spread is 0.
    probabilities = views.mean(axis=0, dtype=np.float64).astype(np.float32)
    best = probabilities.argmax(axis=1)[None, :, None]
    of_best = np.take_along_axis(views.astype(np.float64), best, axis=2)[:, :, 0]
    return probabilities, of_best.std(axis=0).astype(np.float32)
