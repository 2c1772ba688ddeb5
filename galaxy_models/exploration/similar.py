"""Predictions with embeddings -> tables of neighbours and of odd galaxies, and a page.

Runs in this process alone, without Ray. Predictions are streamed, so that memory does
not grow with their number.
"""

import dataclasses
import logging
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike

from galaxy_models import storage
from galaxy_models.config import SimilarConfig
from galaxy_models.errors import PredictionsError
from galaxy_models.evaluation.cutouts import open_catalog_cutouts, read_cutouts
from galaxy_models.exploration.anomalies import Oddest, sample
from galaxy_models.exploration.embedded_rows import (
    Floats,
    num_components,
    read_embedded_rows,
    vectors,
)
from galaxy_models.exploration.ids import find_rows, typed_ids
from galaxy_models.exploration.nearest import Nearest, squared_lengths
from galaxy_models.exploration.similar_page import similar_page
from galaxy_models.storage import output_folder, s3_settings
from galaxy_models.tables.formats.numbered_rows import RowReader, number_rows
from galaxy_models.tables.prediction_schema import EMBEDDING_COLUMN
from galaxy_models.tables.predictions import Predictions, open_predictions

logger = logging.getLogger(__name__)

NEIGHBOURS_NAME = "neighbours.parquet"
ANOMALIES_NAME = "anomalies.parquet"
PAGE_NAME = "similar.html"
OUTPUT = output_folder.OutputKind(
    job="jobs.similar",
    results_name="_similar.json",  # what was asked for; no other job writes it
    names=(NEIGHBOURS_NAME, ANOMALIES_NAME, PAGE_NAME),
)


@dataclass(frozen=True)
class Found:
    """What a search came to."""

    page: str
    """URI of the page."""

    neighbours: pa.Table | None
    """Columns ``like``, ``rank``, ``object_id``, ``distance``, and of models of
    classes ``predicted_class`` and ``confidence``; None where nobody asked."""

    anomalies: pa.Table | None
    """The same but for ``like``; None where nobody asked."""


def similar(config: SimilarConfig) -> Found:
    """Search, and write tables and the page.

    Args:
        config: the flags of ``jobs.similar``.

    Raises:
        InputError: predictions, an id, catalog or output cannot serve; nothing was
            written.
        StorageError: an object store stopped answering.
    """
    with s3_settings.endpoint(config.s3_endpoint_url):
        output = output_folder.check_output(config.output, OUTPUT, config.overwrite)
        source = open_catalog_cutouts(config)
        predictions = open_predictions(config.predictions, "--predictions")
        if predictions.is_unfinished:
            logger.warning("%s: the scoring has not finished", predictions.uri)
        neighbours = find_neighbours(predictions, config.like, config.neighbours)
        anomalies = find_anomalies(predictions, config.anomalies)
        tables = [one for one in (neighbours, anomalies) if one is not None]
        ids = {str(one) for table in tables for one in table["object_id"].to_pylist()}
        cutouts = read_cutouts(source, ids | set(config.like))
        page = similar_page(
            predictions.uri, config.like, neighbours, anomalies, cutouts
        )
        contents = {
            NEIGHBOURS_NAME: _to_parquet(neighbours),
            ANOMALIES_NAME: _to_parquet(anomalies),
            PAGE_NAME: page.encode(errors="replace"),
        }
        found = {name: data for name, data in contents.items() if data is not None}
        asked = dataclasses.asdict(config)
        output_folder.write_results(output, OUTPUT, found, asked)
    return Found(storage.join(output, PAGE_NAME), neighbours, anomalies)


def find_neighbours(
    predictions: Predictions, like: tuple[str, ...], size: int
) -> pa.Table | None:
    """Find the nearest galaxies to each of some; themselves are left out.

    Raises:
        PredictionsError: there are no embeddings, or one of the galaxies is not there
            or has none.
    """
    num = num_components(predictions)
    if not like:
        return None
    ids = typed_ids(predictions, like)
    points = _points(predictions, ids, num)
    searches = [Nearest(point, size, ids.slice(i, 1)) for i, point in enumerate(points)]
    for batch in read_embedded_rows(predictions):
        squares = squared_lengths(batch.embeddings)
        for search in searches:
            search.add(batch, squares)
    parts = []
    for index, search in enumerate(searches):
        if search.rows is None:
            raise PredictionsError(
                f"{predictions.uri} holds no galaxy but {ids[index]} that has an "
                "embedding; score more of them."
            )
        ranked = _ranked(search.rows, search.distances)
        parts.append(ranked.add_column(0, "like", pa.repeat(ids[index], len(ranked))))
    return pa.concat_tables(parts)


def find_anomalies(predictions: Predictions, size: int) -> pa.Table | None:
    """Find the galaxies farthest from all others, the oddest first."""
    if not size:
        return None
    oddest = Oddest(sample(read_embedded_rows(predictions)), size)
    for batch in read_embedded_rows(predictions):
        oddest.add(batch)
    return None if oddest.rows is None else _ranked(oddest.rows, oddest.scores)


def _points(predictions: Predictions, ids: pa.Array, num: int) -> list[Floats]:
    """Read the embeddings of some galaxies."""
    numbers = find_rows(predictions, ids)
    reader = RowReader(number_rows(predictions.table), [EMBEDDING_COLUMN])
    points = []
    for object_id, number in zip(ids.to_pylist(), numbers, strict=True):
        lists = reader.read(number, number + 1)[EMBEDDING_COLUMN].combine_chunks()
        (point,) = vectors(lists, num)
        if not point[0] == point[0]:
            raise PredictionsError(
                f"--like {object_id}: its image failed, so it has no embedding; the "
                f"column `error` of {predictions.uri} says why."
            )
        points.append(point)
    return points


def _ranked(rows: pa.Table, distances: ArrayLike) -> pa.Table:
    """Add the columns ``rank``, from 1, and ``distance``."""
    ranks = pa.array(range(1, len(rows) + 1), pa.int64())
    return rows.add_column(0, "rank", ranks).add_column(
        2, "distance", pa.array(distances, pa.float32())
    )


def _to_parquet(table: pa.Table | None) -> bytes | None:
    if table is None:
        return None
    stream = pa.BufferOutputStream()
    pq.write_table(table, stream)
    return bytes(stream.getvalue().to_pybytes())
