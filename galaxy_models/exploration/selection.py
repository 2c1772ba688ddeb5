"""Which galaxies teach most: uncertain ones, unlike each other.

Of the most uncertain galaxies, ten for each that is wanted, the first is the most
uncertain; then always the one whose distance from all chosen ones, times its
uncertainty, is largest. Memory holds those candidates. Knows rows, not pixels.

Source:
    Zhdanov 2019, arXiv:1901.05954 (uncertain candidates, then diverse ones);
    Sener & Savarese 2018, arXiv:1708.00489 (farthest-first choice by features).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from galaxy_models.exploration.embedded_rows import EmbeddedRows, Floats

CANDIDATES_A_GALAXY = 10


class Uncertain:
    """The most uncertain galaxies so far.

    Args:
        size: how many are kept.
        left_out: ids, as texts, that are not wanted.
    """

    def __init__(self, size: int, left_out: pa.Array) -> None:
        self._size, self._left_out = size, left_out
        self.uncertainty: Floats = np.empty(0, np.float32)
        """1 - confidence of what is kept, falling."""

        self.embeddings: Floats | None = None
        self.rows: pa.Table | None = None

    def add(self, batch: EmbeddedRows) -> None:
        """Let the rows of a batch compete; failed ones cannot."""
        confidence = batch.table["confidence"].to_numpy(zero_copy_only=False)
        uncertainty = np.asarray(1 - confidence, np.float32)
        is_candidate = np.isfinite(uncertainty) & np.isfinite(batch.embeddings[:, 0])
        if len(self.uncertainty) == self._size:
            is_candidate &= uncertainty > self.uncertainty[-1]
        is_candidate &= ~self._is_left_out(batch)
        places = np.flatnonzero(is_candidate)
        places = places[np.argsort(-uncertainty[places], kind="stable")][: self._size]
        table = pa.Table.from_batches([batch.table.take(pa.array(places))])
        found, embeddings = uncertainty[places], batch.embeddings[places]
        if self.rows is not None and self.embeddings is not None:
            table = pa.concat_tables([self.rows, table])
            embeddings = np.concatenate([self.embeddings, embeddings])
        found = np.append(self.uncertainty, found)
        order = np.argsort(-found, kind="stable")[: self._size]
        self.uncertainty, self.embeddings = found[order], embeddings[order]
        self.rows = table.take(pa.array(order))

    def _is_left_out(self, batch: EmbeddedRows) -> NDArray[np.bool_]:
        ids = batch.table["object_id"].cast(pa.string())
        found = pc.is_in(ids, self._left_out).to_numpy(zero_copy_only=False)
        return np.asarray(found, bool)


def choose(embeddings: Floats, uncertainty: Floats, num: int) -> NDArray[np.int64]:
    """Choose galaxies that are uncertain and unlike each other.

    Args:
        embeddings: shape (galaxies, components).
        uncertainty: shape (galaxies,), 0 or more.
        num: how many, at most.

    Returns:
        Their numbers, the most instructive first.
    """
    chosen: list[int] = []
    apart = np.ones(len(embeddings))
    while len(chosen) < min(num, len(embeddings)):
        worth = apart * uncertainty
        worth[chosen] = -1
        best = int(worth.argmax())
        distances = np.linalg.norm(embeddings - embeddings[best], axis=1)
        apart = distances if not chosen else np.minimum(apart, distances)
        chosen.append(best)
    return np.array(chosen, np.int64)
