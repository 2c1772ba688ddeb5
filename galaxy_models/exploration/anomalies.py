"""The odd ones out: galaxies that lie far from all others.

The score of a galaxy is the distance to the k-th nearest of some galaxies drawn at
random. It needs two passes over the rows and no index; a few hundred random galaxies
find what is rare as well as all of them do.

Source:
    Ramaswamy et al. 2000, SIGMOD Record 29, 427 (the distance to the k-th neighbour);
    Sugiyama & Borgwardt 2013, NeurIPS 26 (to a random sample of the rows).
"""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.exploration.embedded_rows import EmbeddedRows, Floats
from galaxy_models.exploration.nearest import squared_lengths

NUM_SAMPLED = 1000
NEIGHBOUR = 5  # of the sample: one alike galaxy that was drawn hides nothing
SEED = 0
ROWS_AT_A_TIME = 8192  # 33 MB of distances


def sample(batches: Iterable[EmbeddedRows]) -> Floats:
    """Draw galaxies at random, each alike probable, in one pass.

    Returns:
        Shape (galaxies, components): at most ``NUM_SAMPLED`` that did not fail.
    """
    rng = np.random.default_rng(SEED)
    drawn: Floats | None = None
    keys: NDArray[np.float64] = np.empty(0)
    for batch in batches:
        good = batch.embeddings[np.isfinite(batch.embeddings[:, 0])]
        keys = np.append(keys, rng.random(len(good)))
        drawn = good if drawn is None else np.concatenate([drawn, good])
        kept = np.argsort(keys, kind="stable")[:NUM_SAMPLED]
        keys, drawn = keys[kept], drawn[kept]
    return np.empty((0, 1), np.float32) if drawn is None else drawn


def oddness(embeddings: Floats, sampled: Floats) -> Floats:
    """Distance to the k-th nearest of the sampled galaxies.

    Args:
        embeddings: shape (galaxies, components).
        sampled: shape (sampled galaxies, components).

    Returns:
        float32, shape (galaxies,); NaN where the image failed.
    """
    neighbour = min(NEIGHBOUR, len(sampled)) - 1
    lengths, found = squared_lengths(sampled), []
    for start in range(0, len(embeddings), ROWS_AT_A_TIME):
        some = embeddings[start : start + ROWS_AT_A_TIME]
        squares = squared_lengths(some)[:, None] + lengths - 2 * some @ sampled.T
        nearest = np.partition(squares, neighbour, axis=1)[:, neighbour]
        found.append(np.sqrt(np.maximum(nearest, 0)))
    return np.concatenate(found) if found else np.empty(0, np.float32)


class Oddest:
    """The oddest galaxies so far.

    Args:
        sampled: what they are compared with.
        size: how many are kept.
    """

    def __init__(self, sampled: Floats, size: int) -> None:
        self._sampled, self._size = sampled, size
        self.scores: Floats = np.empty(0, np.float32)
        """Of what is kept, falling."""

        self.rows: pa.Table | None = None
        """What is kept, in the same order."""

    def add(self, batch: EmbeddedRows) -> None:
        """Let the rows of a batch compete."""
        scores = oddness(batch.embeddings, self._sampled)
        rows = np.flatnonzero(np.isfinite(scores))
        rows = rows[np.argsort(-scores[rows], kind="stable")][: self._size]
        table = pa.Table.from_batches([batch.table.take(pa.array(rows))])
        if self.rows is not None:
            table = pa.concat_tables([self.rows, table])
        both = np.append(self.scores, scores[rows])
        order = np.argsort(-both, kind="stable")[: self._size]
        self.scores, self.rows = both[order], table.take(pa.array(order))
