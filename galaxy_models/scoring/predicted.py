"""What a model says of some galaxies, before it is laid out as rows.

Knows arrays only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galaxy_models.models.embedding import Embedding

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Predicted:
    """Predictions of some galaxies; what was not asked for is None."""

    views: Floats
    """Calibrated probabilities, shape (views, galaxies, classes)."""

    embedding: Floats | None = None
    """Shape (galaxies, components), the mean over views."""

    familiarity: Floats | None = None
    """Shape (galaxies,), the mean over views."""


@dataclass(frozen=True)
class Embedder:
    """Turns features into what was asked for of them."""

    embedding: Embedding
    num_components: int
    """Components to write; 0 for none."""

    familiarity: bool
    """Whether it is asked for."""

    def predicted(self, views: Floats, features: Sequence[Floats]) -> Predicted:
        """Add what the features of each view say.

        Args:
            views: see ``Predicted``.
            features: of each view, shape (galaxies, features).
        """
        embedding, num = self.embedding, self.num_components
        embedded = [embedding.project(one, num) for one in features] if num else []
        asked = features if self.familiarity else ()
        familiar = [embedding.familiarity(one) for one in asked]
        return Predicted(views, _mean(embedded), _mean(familiar))


def join(parts: Sequence[Predicted]) -> Predicted:
    """Join predictions of galaxies that follow one another."""
    return Predicted(
        np.concatenate([part.views for part in parts], axis=1),
        _joined([part.embedding for part in parts]),
        _joined([part.familiarity for part in parts]),
    )


def _mean(of_views: Sequence[Floats]) -> Floats | None:
    return np.mean(of_views, axis=0, dtype=np.float32) if len(of_views) else None


def _joined(parts: Sequence[Floats | None]) -> Floats | None:
    found = [part for part in parts if part is not None]
    return np.concatenate(found) if found else None
