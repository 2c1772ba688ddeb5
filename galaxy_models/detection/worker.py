"""What actors do: chunks of tiles in, as many kept tables of sources out.

Knows the table of images, an engine and the ledger; it does not know the cluster.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.chunks.chunk_result import (
    ChunkResult,
    Stopwatch,
    earlier_result,
)
from galaxy_models.chunks.row_counts import count_rows
from galaxy_models.chunks.workers import CHUNK_COLUMN, CountsLog
from galaxy_models.detection.detector import Detector
from galaxy_models.detection.noise import Noise, measure_noise
from galaxy_models.detection.opening import Images
from galaxy_models.detection.plan import Plan
from galaxy_models.errors import ImageDecodeError
from galaxy_models.images.wide_image import WideImage
from galaxy_models.models.calibration import with_temperature
from galaxy_models.models.engines import load_engine


@dataclass(frozen=True)
class _Opened:
    """An image that tiles are taken from."""

    number: int
    """Its row in the table of images."""

    name: str
    content: tuple[WideImage, Noise] | ImageDecodeError
    """The image and its noise, or why there is none."""

    def close(self) -> None:
        """Give up the file."""
        if not isinstance(self.content, ImageDecodeError):
            self.content[0].close()


class TileWorker:
    """Ray Data's callable: loads the model once, finds the sources of tiles."""

    def __init__(self, plan: Plan, log: CountsLog) -> None:
        self._plan = plan
        self._log = log
        request = plan.request
        self._engine = load_engine(
            plan.engine, request.model, request.card, plan.threads
        )
        self._detector = Detector(request.card.classes, request.rule, self._predict)
        self._images = Images(request)
        self._opened: _Opened | None = None

    def __call__(self, chunks: pa.Table) -> Iterator[pa.Table]:
        """Do some chunks.

        Args:
            chunks: their numbers.

        Yields:
            One row for each of them, a ``ChunkResult``.
        """
        for chunk in chunks[CHUNK_COLUMN].to_pylist():
            result = earlier_result(self._plan.ledger, chunk) or self.do_chunk(chunk)
            yield result.to_table()

    def do_chunk(self, chunk: int) -> ChunkResult:
        """Find the sources of a chunk's tiles, and write them down."""
        ledger, watch = self._plan.ledger, Stopwatch()
        tiles = range(*ledger.rows_of(chunk))
        rows = pa.concat_tables([self._do_tile(tile, watch) for tile in tiles])
        with watch.timing("writing"):
            ledger.write_chunk(chunk, rows)
        self._log.flush()
        return ChunkResult(chunk, count_rows(rows), watch.seconds)

    def _do_tile(self, tile: int, watch: Stopwatch) -> pa.Table:
        """Find a tile's sources; a row that says why where that cannot be."""
        number, index = self._plan.request.tiles.place(tile)
        with watch.timing("reading"):
            opened = self._open(number)
        try:
            if isinstance(opened.content, ImageDecodeError):
                raise opened.content
            image, noise = opened.content
            part = self._plan.request.tiles.grid(number).tile(index)
            rows = self._detector.detect(image, opened.name, noise, part, watch)
            num_failed = 0
        except ImageDecodeError as error:
            rows = self._detector.failed_row(opened.name, index, error)
            num_failed = 1
        self._log.count(rows=1, failed=num_failed)
        return rows

    def _open(self, number: int) -> _Opened:
        """Open an image, unless it is the one that the last tile was of."""
        if self._opened is None or self._opened.number != number:
            if self._opened is not None:
                self._opened.close()
            self._opened = None  # its pixels are given up before others are read
            self._opened = self._open_anew(number)
        return self._opened

    def _open_anew(self, number: int) -> _Opened:
        name = self._images.name(number)
        try:
            image = self._images.open(number)
            return _Opened(number, name, (image, measure_noise(image)))
        except ImageDecodeError as error:
            return _Opened(number, name, error)

    def _predict(self, stamps: NDArray[np.uint8]) -> NDArray[np.float32]:
        temperature = self._plan.request.card.temperature
        return with_temperature(self._engine.predict(stamps), temperature)
