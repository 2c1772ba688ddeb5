"""What actors and tasks do: chunks of the catalog in, as many kept predictions out.

Knows catalog columns, pixels, an engine and the ledger; it does not know the cluster.
"""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.chunks.chunk_result import (
    ChunkResult,
    Stopwatch,
    earlier_result,
)
from galaxy_models.chunks.row_counts import RowCounts, count_rows
from galaxy_models.chunks.workers import CHUNK_COLUMN, CountsLog
from galaxy_models.images.decode import decode_files
from galaxy_models.models.engines import load_engine
from galaxy_models.models.folder import load_embedding
from galaxy_models.scoring.answers import answer_arrays
from galaxy_models.scoring.augmentation import symmetric_views
from galaxy_models.scoring.plan import Plan
from galaxy_models.scoring.predicted import Embedder, Predicted, join
from galaxy_models.scoring.prefetch import FILES_PER_READ, prefetch_files
from galaxy_models.scoring.request import Request
from galaxy_models.tables.columns import image_sources
from galaxy_models.tables.formats.numbered_rows import NumberedRows, RowReader
from galaxy_models.tables.prediction_schema import STATUS_FAILED, STATUS_OK

PIXELS_COLUMN = "_pixels"  # between the two stages only
ERROR_COLUMN = "_error"


class Predictor:
    """Ray Data's callable in two stages: loads the model once, predicts pixels."""

    def __init__(self, plan: Plan, log: CountsLog) -> None:
        self.plan = plan
        self.log = log
        request, stages = plan.request, plan.stages
        self._head = request.card.head
        self._engine = load_engine(
            stages.engine,
            request.model,
            request.card,
            stages.threads,
            on_gpu=stages.on_gpus,
        )
        self._embedder = _load_embedder(request)

    def __call__(self, rows: pa.Table) -> pa.Table:
        """Predict a chunk.

        Args:
            rows: what ``decode_chunk`` gave.

        Returns:
            One row, a ``ChunkResult``.
        """
        size = self.plan.request.rule.image_size
        pixels = rows[PIXELS_COLUMN].combine_chunks()
        images = np.frombuffer(pixels.buffers()[1], np.uint8)
        images = images.reshape(-1, size, size, 3)
        images = images[pixels.offset : pixels.offset + len(pixels)]
        errors = rows[ERROR_COLUMN].to_pylist()
        step = self.plan.stages.batch_size
        watch = Stopwatch()
        with watch.timing("predicting"):
            parts = [
                self.predict(images[at : at + step], errors[at : at + step])
                for at in range(0, len(rows), step)
            ]
        chunk = rows[CHUNK_COLUMN][0].as_py()
        return self.keep(chunk, rows, join(parts), errors, watch).to_table()

    def predict(self, images: NDArray[np.uint8], errors: list[str | None]) -> Predicted:
        """Predict decoded galaxies in every view, and count them for the job's log.

        Args:
            images: uint8, shape (galaxies, size, size, 3), RGB.
            errors: None, or what failed, for each galaxy.

        Returns:
            What ``predict_views`` does.
        """
        predicted = self.predict_views(images)
        counts = RowCounts()
        counts.add(errors)
        self.log.count(rows=counts.num_rows, failed=counts.num_failed)
        return predicted

    def predict_views(self, images: NDArray[np.uint8]) -> Predicted:
        """Predict decoded galaxies in every view.

        Each view is calibrated before they are averaged: the temperature was fitted to
        predictions of single views, and a mean of several is less sure already.

        Args:
            images: uint8, shape (galaxies, size, size, 3), RGB.
        """
        request, embedder = self.plan.request, self._embedder
        views, features = [], []
        for view in symmetric_views(images, request.config.tta):
            if embedder is None:
                outputs = self._engine.predict(view)
            else:
                outputs, found = self._engine.predict_with_features(view)
                features.append(found)
            views.append(self._head.calibrated(outputs, request.card.temperature))
        if embedder is None:
            return Predicted(np.stack(views))
        return embedder.predicted(np.stack(views), features)

    def keep(
        self,
        chunk: int,
        rows: pa.Table,
        predicted: Predicted,
        errors: list[str | None],
        watch: Stopwatch,
    ) -> ChunkResult:
        """Write a chunk's predictions down.

        Args:
            chunk: its number.
            rows: its catalog rows.
            predicted: what ``predict`` gave for them.
            errors: None, or what failed, for each row.
            watch: what has been timed so far.
        """
        with watch.timing("writing"):
            predictions = prediction_rows(rows, predicted, errors, self.plan.request)
            self.plan.ledger.write_chunk(chunk, predictions)
        self.log.flush()
        return ChunkResult(chunk, count_rows(predictions), watch.seconds)


class FusedPredictor(Predictor):
    """Ray Data's callable in one stage: reads, decodes, predicts and writes.

    So pixels never travel, and each core has one actor that keeps it busy.
    """

    def __init__(self, plan: Plan, log: CountsLog) -> None:
        super().__init__(plan, log)
        self._reader = RowReader(plan.request.rows, plan.request.columns)

    def __call__(self, chunks: pa.Table) -> Iterator[pa.Table]:
        """Predict some chunks.

        Args:
            chunks: their numbers.

        Yields:
            One row for each of them, a ``ChunkResult``.
        """
        ledger = self.plan.ledger
        for chunk in chunks[CHUNK_COLUMN].to_pylist():
            result = earlier_result(ledger, chunk) or self.do_chunk(chunk)
            yield result.to_table()

    def do_chunk(self, chunk: int) -> ChunkResult:
        """Predict a chunk and write its predictions down."""
        watch = Stopwatch()
        with watch.timing("reading"):
            rows = self._reader.read(*self.plan.ledger.rows_of(chunk))
        parts, errors = [], []
        for images, image_errors in decoded_batches(rows, self.plan, watch):
            with watch.timing("predicting"):
                parts.append(self.predict(images, image_errors))
            errors.extend(image_errors)
        return self.keep(chunk, rows, join(parts), errors, watch)


def _load_embedder(request: Request) -> Embedder | None:
    """Load what turns features into columns, if any are asked for."""
    config = request.config
    if not config.embedding and not config.familiarity:
        return None
    embedding = load_embedding(request.model, request.card)
    return Embedder(embedding, config.embedding, config.familiarity)


def decoded_batches(
    rows: pa.Table, plan: Plan, watch: Stopwatch
) -> Iterator[tuple[NDArray[np.uint8], list[str | None]]]:
    """Decode galaxies in batches, while the files of the next ones are read."""
    catalog, rule = plan.request.catalog, plan.request.rule
    sources = image_sources(rows[catalog.image_column])
    reads_per_batch = -(-plan.stages.batch_size // FILES_PER_READ)
    batches = prefetch_files(
        sources, catalog.image_root, reads_per_batch, catalog.allowed_prefixes
    )
    while True:
        with watch.timing("reading"):
            files = next(batches, None)
        if files is None:
            return
        with watch.timing("decoding"):
            decoded = decode_files(files, rule)
        yield decoded


def decode_chunk(chunks: pa.Table, *, plan: Plan) -> pa.Table:
    """Ray step of the two-stage plan: read and decode the images of a chunk.

    Args:
        chunks: the number of one.
        plan: where images lie and how they are decoded.

    Returns:
        The chunk's rows, but for the image column, with their pixels (uint8,
        image_size × image_size × 3 bytes a galaxy, black where it failed) and errors
        (null, or what failed).
    """
    (chunk,) = chunks[CHUNK_COLUMN].to_pylist()
    request = plan.request
    reader = _row_reader(request.rows, tuple(request.columns))
    rows = reader.read(*plan.ledger.rows_of(chunk))
    size = request.rule.image_size
    images, errors = [], []
    for batch, batch_errors in decoded_batches(rows, plan, Stopwatch()):
        images.append(batch)
        errors.extend(batch_errors)
    pixels = pa.Array.from_buffers(
        pa.binary(3 * size * size),
        len(rows),
        [None, pa.py_buffer(np.concatenate(images))],
    )
    travelling = [request.catalog.id_column, *request.keep]
    return (
        rows.select(list(dict.fromkeys(travelling)))
        .append_column(CHUNK_COLUMN, pa.repeat(chunk, len(rows)))
        .append_column(PIXELS_COLUMN, pixels)
        .append_column(ERROR_COLUMN, pa.array(errors, pa.string()))
    )


@lru_cache(maxsize=1)
def _row_reader(rows: NumberedRows, columns: tuple[str, ...]) -> RowReader:
    """Give this process's reader, which continues where its last chunk ended."""
    return RowReader(rows, columns)


def prediction_rows(
    rows: pa.Table,
    predicted: Predicted,
    errors: list[str | None],
    request: Request,
) -> pa.Table:
    """Lay predictions out as the rows that people read.

    Args:
        rows: catalog rows.
        predicted: of these rows; views are averaged. Ignored where failed.
        errors: None, or what failed, for each row.
        request: columns and head.

    Returns:
        A table with the columns of ``request.schema``; what was predicted is null where
        failed, an embedding NaN.
    """
    failed = np.asarray([error is not None for error in errors], bool)
    schema = request.schema
    columns = [
        rows[request.catalog.id_column].cast(request.catalog.id_type),
        *(rows[name].cast(schema.field(name).type) for name in request.keep),
        *answer_arrays(predicted, failed, request.card, request.config),
        pa.array(np.where(failed, STATUS_FAILED, STATUS_OK), pa.string()),
        pa.array(errors, pa.string()),
        *_embedding(predicted, failed),
    ]
    return pa.table(columns, schema=schema)


def _embedding(predicted: Predicted, failed: NDArray[np.bool_]) -> list[pa.Array]:
    if predicted.embedding is None:
        return []
    values = predicted.embedding.astype(np.float16)
    values[failed] = np.nan  # not null: astropy cannot read a list that is missing
    return [
        pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])
    ]
