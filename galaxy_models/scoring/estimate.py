"""What a scoring would take: some galaxies at random are predicted, none is written.

They are read, decoded and predicted in this process on one core, as an actor does it;
the rest is multiplication. A cluster whose hosts are slower, or whose store is farther
away, takes longer. GPUs are not measured.
"""

import resource
import tempfile
import time
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from galaxy_models import storage
from galaxy_models.chunks.engine_choice import settle_engine
from galaxy_models.chunks.in_process import Counts
from galaxy_models.chunks.ledger import to_parquet
from galaxy_models.chunks.row_counts import RowCounts
from galaxy_models.cluster.place import joined_cluster
from galaxy_models.cluster.this_machine import this_machine
from galaxy_models.config import ScoreConfig
from galaxy_models.errors import PredictionsError
from galaxy_models.images.decode import decode_files
from galaxy_models.scoring.carry_over import carry_over
from galaxy_models.scoring.plan import Plan, engine_work, make_plan
from galaxy_models.scoring.predicted import join
from galaxy_models.scoring.predictor import Predictor, prediction_rows
from galaxy_models.scoring.prefetch import FILES_PER_READ, prefetch_files
from galaxy_models.scoring.request import open_request
from galaxy_models.storage import s3_settings
from galaxy_models.tables.columns import image_sources
from galaxy_models.tables.formats.numbered_rows import RowReader, sample_rows
from galaxy_models.tables.sorted_hashes import MAX_HELD

NUM_SAMPLED = 256
BYTES_PER_ID = 16  # on the driver: hashes, and their sorted copy
KIB_OF_RSS = 1024  # Linux reports the largest memory of a process in KiB


@dataclass(frozen=True)
class Estimate:
    """What a scoring of all rows would take."""

    num_rows: int
    """Rows to predict: those that are not carried over."""

    num_sampled: int
    num_failed: int
    """Of those sampled."""

    failure_reasons: dict[str, int]
    engine: str
    rows_per_s_per_core: float
    """Read, decoded and predicted by one core (1/s)."""

    num_cores: int
    """Cores that would predict here: one per actor."""

    hours: float
    """On these cores, without start-up (h)."""

    core_hours: float
    image_bytes: int
    """Bytes of all images."""

    image_requests: int
    """Requests to an object store for them; 0 where they lie on disks."""

    output_bytes: int
    """Size of the predictions."""

    actor_bytes: int
    """Memory of each actor, at its largest."""

    driver_bytes: int
    """Memory of the driver for the ids, besides its libraries."""


def estimate(config: ScoreConfig) -> Estimate:
    """Say what ``score`` would take; write nothing but temporary files.

    Raises:
        InputError: catalog, model or earlier predictions cannot serve.
        StorageError: an object store does not answer.
    """
    config = replace(config, device="cpu")
    with (
        s3_settings.endpoint(config.s3_endpoint_url),
        joined_cluster(config.plan) as joined,
        tempfile.TemporaryDirectory() as folder,
    ):
        request, _ = carry_over(open_request(config, f"{folder}/catalog"))
        if not request.rows.num_rows:
            raise PredictionsError(
                f"--estimate: every row is carried over from {config.previous}; there "
                "is nothing to predict."
            )
        resources, output = (
            joined or this_machine(),
            storage.absolute_uri(config.output),
        )
        choice = settle_engine(engine_work(request, resources, is_local=False))
        plan = make_plan(request, resources, output, choice)
        stages = replace(plan.stages, threads=1)
        return _measured(replace(plan, stages=stages))


def _measured(plan: Plan) -> Estimate:
    request = plan.request
    sampled = sample_rows(request.rows, NUM_SAMPLED)
    rows = RowReader(sampled, request.columns).read(0, sampled.num_rows)
    predictor = Predictor(plan, Counts())
    size = request.rule.image_size
    predictor.predict_views(np.zeros((1, size, size, 3), np.uint8))  # the first is slow
    started_s = time.monotonic()
    num_bytes, predictions = _predicted(rows, predictor)
    seconds = time.monotonic() - started_s
    counts = RowCounts()
    counts.add(predictions["error"].to_pylist())
    num_rows, rate = request.rows.num_rows, len(rows) / seconds
    num_cores = plan.stages.num_actors
    of_row = (_size(predictions) - _size(predictions.slice(0, 0))) / len(rows)
    return Estimate(
        num_rows=num_rows,
        num_sampled=len(rows),
        num_failed=counts.num_failed,
        failure_reasons=dict(counts.failure_reasons.most_common()),
        engine=plan.stages.engine,
        rows_per_s_per_core=rate,
        num_cores=num_cores,
        hours=num_rows / rate / num_cores / 3600,
        core_hours=num_rows / rate / 3600,
        image_bytes=round(num_rows * num_bytes / len(rows)),
        image_requests=num_rows * _are_remote(rows, plan),
        output_bytes=round(num_rows * of_row),
        actor_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB_OF_RSS,
        driver_bytes=min(request.catalog.num_rows, MAX_HELD) * BYTES_PER_ID,
    )


def _predicted(rows: pa.Table, predictor: Predictor) -> tuple[int, pa.Table]:
    """Read, decode and predict galaxies; give the bytes read, and the predictions."""
    request, batch_size = predictor.plan.request, predictor.plan.stages.batch_size
    catalog = request.catalog
    batches = prefetch_files(
        image_sources(rows[catalog.image_column]),
        catalog.image_root,
        -(-batch_size // FILES_PER_READ),
        catalog.allowed_prefixes,
    )
    num_bytes, parts, errors = 0, [], []
    for files in batches:
        num_bytes += sum(len(file) for file in files if isinstance(file, bytes))
        images, image_errors = decode_files(files, request.rule)
        parts.append(predictor.predict_views(images))
        errors += image_errors
    table = prediction_rows(rows, join(parts), errors, request)
    return num_bytes, table


def _are_remote(rows: pa.Table, plan: Plan) -> bool:
    """Whether the images lie in an object store."""
    catalog = plan.request.catalog
    sources = image_sources(rows[catalog.image_column])
    path = next((one for one in sources if isinstance(one, str)), None)
    return path is not None and storage.is_remote(
        storage.join(catalog.image_root, path)
    )


def _size(predictions: pa.Table) -> int:
    return int(to_parquet(predictions).size)
