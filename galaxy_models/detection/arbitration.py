"""Whether a source or what it can be split into is right: the network's word.

Pixels alone cannot tell a spiral from a group of stars; a network that knows what is no
galaxy can. This module knows rows and probabilities; it knows no pixels.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ARTEFACT = "artefact"  # also a group of sources that was taken for one
NO_GALAXY = ("star", ARTEFACT)  # classes of a model that knows what is none


def galaxy_scores(
    probabilities: NDArray[np.float32], classes: Sequence[str]
) -> NDArray[np.float32]:
    """Probability of being a galaxy.

    Args:
        probabilities: float32, shape (rows, classes); NaN where not classified.
        classes: the model's.

    Returns:
        float32, shape (rows,); NaN where not classified, everywhere if the model does
        not know what is no galaxy.
    """
    others = [classes.index(name) for name in NO_GALAXY if name in classes]
    if not others:
        return np.full(len(probabilities), np.nan, np.float32)
    scores: NDArray[np.float32] = 1 - probabilities[:, others].sum(axis=1)
    return np.clip(scores, 0, 1, out=scores)


def choose_primary(
    rows: pd.DataFrame, probabilities: NDArray[np.float32], classes: Sequence[str]
) -> NDArray[np.bool_]:
    """Choose rows that cover the image once.

    A source stays whole unless one of its parts is more probably a galaxy, or it is
    itself most probably no source of its own. What has no probability counts as 0.

    Args:
        rows: with ``object_id``, ``parent_id`` (0 for sources) and ``num_children``.
        probabilities: float32, shape (rows, classes); NaN where not classified.
        classes: the model's.

    Returns:
        bool, shape (rows,): of each family either the source or all of its parts.
    """
    scores = np.nan_to_num(galaxy_scores(probabilities, classes))
    ids, parent_ids = rows["object_id"].to_numpy(), rows["parent_id"].to_numpy()
    is_part = parent_ids != 0
    best_part = pd.Series(scores[is_part]).groupby(parent_ids[is_part]).max()
    is_split = scores < best_part.reindex(ids).fillna(0).to_numpy()
    if ARTEFACT in classes:
        is_no_source = probabilities[:, classes.index(ARTEFACT)] > 0.5
        is_split |= is_no_source & (rows["num_children"].to_numpy() > 0)
    split_ids = ids[is_split]
    return np.where(is_part, np.isin(parent_ids, split_ids), ~is_split)
