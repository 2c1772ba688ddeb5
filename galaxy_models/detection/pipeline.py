"""The driver of a detection run: the steps in their order.

Imports neither TensorFlow nor, unless a plan needs it, Ray.
"""

import logging
import time
from contextlib import AbstractContextManager
from functools import partial

from galaxy_models import storage
from galaxy_models.chunks.driver import WorkDone, do_what_remains
from galaxy_models.chunks.engine_choice import check_hosts, choice_begun_with
from galaxy_models.chunks.failure_limit import FailureLimit
from galaxy_models.chunks.in_process import LocalWork, local_workers
from galaxy_models.chunks.ledger import CHUNKS_NAME, Remaining
from galaxy_models.chunks.workers import Workers
from galaxy_models.cluster import shared_paths
from galaxy_models.cluster.place import chosen_machines, joined_cluster
from galaxy_models.cluster.progress import Progress
from galaxy_models.cluster.resources import scoring_workers
from galaxy_models.config import DetectConfig
from galaxy_models.detection.hand_over import check_folders, hand_over
from galaxy_models.detection.plan import Plan, ends_sooner_here, make_plan, on_cpus
from galaxy_models.detection.request import OUTPUT, open_request, resumes
from galaxy_models.detection.run_record import RunRecord, finished_record, record_run
from galaxy_models.detection.worker import TileWorker
from galaxy_models.errors import DetectionError
from galaxy_models.models.engines import check_engine
from galaxy_models.storage import output_folder, s3_settings

logger = logging.getLogger(__name__)


def detect(config: DetectConfig) -> RunRecord:
    """Find the sources of wide images, by the flags of ``jobs.detect``.

    Returns:
        What was done; also in ``_run.json`` next to the detections.

    Raises:
        InputError: images, model, output or resources cannot serve; nothing was
            begun.
        DetectionError: tiles were lost, or too many of them failed.
        StorageError: an object store stopped answering.

    Example:
        >>> import pandas as pd
        >>> record = detect(DetectConfig(images="frames/fits", output="detections"))
        >>> record.num_images, record.num_failed
        (2, 0)
        >>> table = pd.read_parquet("detections")
        >>> sources = table[table["is_primary"]]
        >>> len(sources) == record.num_sources
        True
    """
    with s3_settings.endpoint(config.s3_endpoint_url):
        check_folders(config)
        record = finished_record(config)
        if record is None:
            record = _detect(config)
        else:
            logger.info("%s is finished already: nothing to do", config.output)
        hand_over(config, record)
    _check_all(record, config)
    return record


def _check_all(record: RunRecord, config: DetectConfig) -> None:
    """Say what a finished run lacks.

    Raises:
        DetectionError: too many tiles failed.
    """
    if record.num_without_position:
        logger.info(
            "%d of %d sources have no ra and dec: their images have no WCS that can "
            "be used, and none is guessed",
            record.num_without_position,
            record.statuses["ok"],
        )
    _failure_limit(config, record.num_tiles).check_finished(record.failure_reasons)


def _detect(config: DetectConfig) -> RunRecord:
    """Do the tiles that are not done yet; write the record last."""
    with (
        output_folder.held_output(
            config.output, OUTPUT, config.overwrite, resumes(config)
        ) as output,
        joined_cluster(config.plan) as joined,
    ):
        if joined is not None:
            scoring_workers(config.num_workers, on_cpus(joined))
            shared_paths.check_output(output)
        staging_uri = storage.join(output, output_folder.STAGING_NAME)
        request = open_request(config, staging_uri)
        if resumes(config):
            begun = choice_begun_with(output_folder.read_marker(output, OUTPUT))
            request = request.with_engine(begun.name) if begun else request
        ends_here = partial(ends_sooner_here, request)
        with chosen_machines(config.plan, ends_here, joined) as (resources, is_local):
            plan = make_plan(request, resources, output, is_local=is_local)
            check_hosts(plan.engine, plan.engine_work)
            check_engine(plan.engine, request.model, request.card)
            _begin(plan)
            started_s = time.monotonic()
            done = _do_what_remains(plan)
            seconds = time.monotonic() - started_s
        record = record_run(plan, done, seconds)
        storage.delete_folder(storage.join(output, CHUNKS_NAME))
        output_folder.finish_output(output)
    return record


def _begin(plan: Plan) -> None:
    """Mark the output as begun, or resume it."""
    output, resume = plan.ledger.output, resumes(plan.request.config)
    if output_folder.begin_output(output, OUTPUT, plan.resume_key(), resume):
        logger.info("%s holds an unfinished detection: it is resumed", output)


def _do_what_remains(plan: Plan) -> WorkDone:
    """Do the chunks that are not kept, and make files of all; a row is a tile."""
    request, ledger = plan.request, plan.ledger
    remaining = Remaining(ledger)
    num_tiles = remaining.num_rows_to_do()
    logger.info(
        "finding sources in %d of %d tiles of %d images (%.0f megapixels): %s",
        num_tiles,
        ledger.num_rows,
        request.catalog.num_rows,
        request.tiles.num_pixels / 1e6,
        plan.described(),
    )
    progress = Progress(
        ledger.num_rows,
        ledger.num_rows - num_tiles,
        request.config.progress_interval_s,
        noun="tiles",
        rate_noun="tiles",
    )
    limit = _failure_limit(request.config, ledger.num_rows)
    with _workers(plan, progress, num_tiles) as workers:
        return do_what_remains(remaining, workers, limit.check_so_far, DetectionError)


def _workers(
    plan: Plan, progress: Progress, num_tiles: int
) -> AbstractContextManager[Workers]:
    if plan.is_local:
        work = LocalWork(
            plan.ledger, plan.file_metadata, partial(TileWorker, plan), num_threads=1
        )
        return local_workers(work, progress, DetectionError, "detection")

    from galaxy_models.detection.on_ray import ray_workers

    return ray_workers(plan, progress, num_tiles)


def _failure_limit(config: DetectConfig, num_tiles: int) -> FailureLimit:
    return FailureLimit(
        config.max_failed_fraction,
        num_tiles,
        "tiles",
        config.output,
        DetectionError,
        remedy="detect again with --overwrite",
    )
