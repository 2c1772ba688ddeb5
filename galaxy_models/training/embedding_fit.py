"""Galaxies in, the principal components of their features out.

The features are those of a LiteRT file where there is one: scoring compares features
of the same kind. Knows pixels and an engine; it does not know where galaxies lie.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from galaxy_models.models.card import EmbeddingRecord, hash_model
from galaxy_models.models.embedding import Embedding, fit_embedding, from_bytes
from galaxy_models.models.engines import Engine

MAX_GALAXIES = 10_000  # 41 MB of features; 64 components need hundreds
BATCH_SIZE = 64  # galaxies; a batch of decoded images is 10 MB at 224 px


def fit_to_images(engine: Engine, batches: Iterable[NDArray[np.uint8]]) -> Embedding:
    """Fit an embedding to what an engine finds in galaxies.

    Args:
        engine: one that gives features.
        batches: uint8, shape (galaxies, size, size, 3), as scoring sees them.

    Raises:
        ValueError: they are too few.
    """
    features = [engine.predict_with_features(images)[1] for images in batches]
    return fit_embedding(np.concatenate(features))


def record_of(data: bytes, num_galaxies: int, catalog: str) -> EmbeddingRecord:
    """Describe an embedding for the card.

    Args:
        data: the file of the model folder.
        num_galaxies: to how many it was fitted.
        catalog: where these came from.
    """
    embedding = from_bytes(data)
    return EmbeddingRecord(
        file_hash=hash_model(data),
        num_components=embedding.num_components,
        num_features=embedding.num_features,
        explained_variance=embedding.explained_variance,
        num_galaxies=num_galaxies,
        catalog=catalog,
    )
