"""Exact search: the galaxies nearest to some points, of any number of rows.

Memory holds the nearest so far. Distances are Euclidean, of embeddings.
"""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from galaxy_models.exploration.embedded_rows import EmbeddedRows, Floats

ROUNDING = 1e-3  # of a squared distance by a product of matrices; none is lost by it


@dataclass
class Nearest:
    """The galaxies nearest to one point so far.

    Args:
        point: shape (components,).
        size: how many are kept.
        left_out: ids, of the predictions' type, that are no neighbours.
    """

    point: Floats
    size: int
    left_out: pa.Array
    distances: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """Of what is kept, rising."""

    rows: pa.Table | None = None
    """What is kept, in the same order."""

    def add(self, batch: EmbeddedRows, squares: Floats) -> None:
        """Let the rows of a batch compete.

        Args:
            batch: the rows.
            squares: shape (rows,), their squared lengths.
        """
        rough = squares - 2 * (batch.embeddings @ self.point)
        rough += np.square(self.point).sum()
        is_near = rough <= self._limit()
        near = np.flatnonzero(is_near)  # a NaN is never near
        if len(near) > self.size + len(self.left_out):
            num = self.size + len(self.left_out)
            near = near[np.argsort(rough[near], kind="stable")[: 2 * num]]
        if len(near):
            self._keep(batch.table.take(pa.array(near)), batch.embeddings[near])

    def _limit(self) -> float:
        if len(self.distances) < self.size:
            return float(np.finfo(np.float32).max)
        return float(self.distances[-1] ** 2) + ROUNDING

    def _keep(self, found: pa.RecordBatch, embeddings: Floats) -> None:
        is_meant = pc.invert(pc.is_in(found["object_id"], self.left_out))
        is_meant = is_meant.to_numpy(zero_copy_only=False)
        apart = embeddings[is_meant].astype(np.float64) - self.point
        distances = np.append(self.distances, np.linalg.norm(apart, axis=1))
        rows = pa.Table.from_batches([found]).filter(pa.array(is_meant))
        if self.rows is not None:
            rows = pa.concat_tables([self.rows, rows])
        order = np.argsort(distances, kind="stable")[: self.size]
        self.distances, self.rows = distances[order], rows.take(pa.array(order))


def squared_lengths(embeddings: Floats) -> Floats:
    """Squared length of each row."""
    return np.asarray(np.einsum("ij,ij->i", embeddings, embeddings), np.float32)
