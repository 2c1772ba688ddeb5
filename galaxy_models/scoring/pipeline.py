"""The driver of a scoring run: the same steps, wherever galaxies are predicted.

Imports neither TensorFlow nor, unless a plan needs it, Ray.
"""

import logging
import time
from contextlib import AbstractContextManager
from functools import partial

from galaxy_models import storage
from galaxy_models.chunks.driver import WorkDone, do_what_remains
from galaxy_models.chunks.engine_choice import choice_begun_with, settle_engine
from galaxy_models.chunks.failure_limit import FailureLimit
from galaxy_models.chunks.in_process import LocalWork, local_workers
from galaxy_models.chunks.ledger import CHUNKS_NAME, Remaining
from galaxy_models.chunks.workers import Workers
from galaxy_models.cluster import shared_paths
from galaxy_models.cluster.place import chosen_machines, joined_cluster
from galaxy_models.cluster.progress import Progress
from galaxy_models.cluster.resources import Resources
from galaxy_models.config import ScoreConfig
from galaxy_models.errors import ScoringError
from galaxy_models.models.engines import check_engine
from galaxy_models.scoring import sky_catalog
from galaxy_models.scoring.carry_over import carry_over
from galaxy_models.scoring.dated_choice import read_choice, write_choice
from galaxy_models.scoring.plan import (
    Plan,
    check_resources,
    ends_sooner_here,
    engine_work,
    make_plan,
)
from galaxy_models.scoring.predictor import FusedPredictor
from galaxy_models.scoring.request import OUTPUT, Request, open_request, resumes
from galaxy_models.scoring.run_file import RunRecord
from galaxy_models.scoring.run_record import finished_record, record_run
from galaxy_models.storage import output_folder, s3_settings

logger = logging.getLogger(__name__)


def score(config: ScoreConfig) -> RunRecord:
    """Predict every galaxy of a catalog, by the flags of ``jobs.score``.

    Returns:
        What was done; also in ``_run.json`` next to the predictions.

    Raises:
        InputError: catalog, model, output or resources cannot serve; nothing was
            begun.
        ScoringError: rows were lost, or too many images failed.
        StorageError: an object store stopped answering, or a disk is full.

    Example:
        >>> import pandas as pd
        >>> record = score(
        ...     ScoreConfig(
        ...         catalog="survey/catalog.parquet",
        ...         model="galaxy-zoo",
        ...         output="predictions",
        ...         keep=("ra", "dec"),
        ...     )
        ... )
        >>> record.num_rows, record.num_failed
        (90, 8)
        >>> table = pd.read_parquet("predictions")
        >>> list(table.columns[:5])
        ['object_id', 'ra', 'dec', 'predicted_class', 'confidence']
    """
    with s3_settings.endpoint(config.s3_endpoint_url):
        record = finished_record(config)
        if record is None:
            record = _score(config)
        else:
            logger.info("%s is finished already: nothing to do", config.output)
    _failure_limit(config, record.num_rows).check_finished(record.failure_reasons)
    if config.hats is not None:
        sky_catalog.write(config, record)
    return record


def _score(config: ScoreConfig) -> RunRecord:
    """Predict what is not predicted yet; write the record last."""
    sky_catalog.check_folder(config)
    with (
        output_folder.held_output(
            config.output, OUTPUT, config.overwrite, resumes(config)
        ) as output,
        joined_cluster(config.plan) as joined,
    ):
        if joined is not None:
            check_resources(config, joined)
            shared_paths.check_output(output)
        staging_uri = storage.join(output, output_folder.STAGING_NAME)
        request = open_request(config, staging_uri)
        sky_catalog.check_positions(request.catalog)
        marker = output_folder.read_marker(output, OUTPUT) if resumes(config) else None
        request, carried = carry_over(request, read_choice(output, marker))
        begun = choice_begun_with(marker)
        request = request.with_engine(begun.name) if begun else request
        with _machines(request, joined) as (resources, is_local):
            work = engine_work(request, resources, is_local=is_local)
            choice = settle_engine(work, begun)
            plan = make_plan(request, resources, output, choice, is_local=is_local)
            check_engine(plan.stages.engine, request.model, request.card)
            _begin(plan)
            started_s = time.monotonic()
            if carried is not None:
                carried.write(output, plan.file_metadata)
            done = _predict_what_remains(plan)
            seconds = time.monotonic() - started_s
        record = record_run(plan, done, seconds)
        storage.delete_folder(storage.join(output, CHUNKS_NAME))
        output_folder.finish_output(output)
    return record


def _machines(
    request: Request, joined: Resources | None
) -> AbstractContextManager[tuple[Resources, bool]]:
    """Decide between this process and Ray; see ``chosen_machines``."""
    return chosen_machines(
        request.config.plan, partial(ends_sooner_here, request), joined
    )


def _begin(plan: Plan) -> None:
    """Mark the output as begun, or resume it."""
    output, resume = plan.ledger.output, resumes(plan.request.config)
    if output_folder.begin_output(output, OUTPUT, plan.resume_key(), resume):
        logger.info("%s holds an unfinished scoring: it is resumed", output)
    carried = plan.request.carried
    if carried is not None and carried.choice is not None:
        write_choice(output, carried.choice)


def _predict_what_remains(plan: Plan) -> WorkDone:
    """Predict the chunks that are not kept, and make files of all."""
    remaining = Remaining(plan.ledger)
    num_in_all, num_rows = plan.request.num_rows_in_all, remaining.num_rows_to_do()
    described = plan.stages.described()
    logger.info("scoring %d of %d galaxies: %s", num_rows, num_in_all, described)
    interval_s = plan.request.config.progress_interval_s
    progress = Progress(num_in_all, num_in_all - num_rows, interval_s)
    limit = _failure_limit(plan.request.config, num_in_all)
    with _workers(plan, progress, num_rows) as workers:
        return do_what_remains(remaining, workers, limit.check_so_far, ScoringError)


def _workers(
    plan: Plan, progress: Progress, num_rows: int
) -> AbstractContextManager[Workers]:
    if plan.stages.is_local:
        work = LocalWork(
            plan.ledger,
            plan.file_metadata,
            partial(FusedPredictor, plan),
            plan.stages.num_actors,
        )
        return local_workers(work, progress, ScoringError, "scoring")

    from galaxy_models.scoring.on_ray import ray_workers

    return ray_workers(plan, progress, num_rows)


def _failure_limit(config: ScoreConfig, num_rows: int) -> FailureLimit:
    return FailureLimit(
        config.max_failed_fraction,
        num_rows,
        "images",
        config.output,
        ScoringError,
        remedy=f"score into another folder with --previous {config.output}",
    )
