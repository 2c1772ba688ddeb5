"""Predict the class of every galaxy of a catalog; write Parquet for pandas.

    galaxy-batch score --catalog survey.parquet --model model --output predictions

The output is a folder with exactly one row for each catalog row; a galaxy whose image
is missing or broken has status "failed" and a reason. With RAY_ADDRESS set (as ``ray
job submit`` does) the job runs on that cluster, otherwise on this machine.
"""

import dataclasses
import logging
from typing import Any

from galaxy_models.cli.command_line import RESUMES, Job
from galaxy_models.config import ScoreConfig

logger = logging.getLogger(__name__)


CORES = (16, 128, 1024)  # for which an estimate gives the hours


def score_catalog(config: ScoreConfig) -> dict[str, Any]:
    """Score, then log the counts and where the predictions are; or estimate."""
    return _estimated(config) if config.estimate else _scored(config)


def _estimated(config: ScoreConfig) -> dict[str, Any]:
    from galaxy_models.scoring import estimate  # only once the flags are accepted

    found = estimate(config)
    logger.info(
        "%d galaxies at random, %d of them failed: %.0f rows/s on one core with %s",
        found.num_sampled,
        found.num_failed,
        found.rows_per_s_per_core,
        found.engine,
    )
    elsewhere = ", ".join(f"{found.core_hours / num:.3g} h on {num}" for num in CORES)
    logger.info(
        "%d rows: %.3g h on the %d core(s) here, %s, and start-up",
        found.num_rows,
        found.hours,
        found.num_cores,
        elsewhere,
    )
    logger.info(
        "images: %.3g GB, %d requests; predictions: %.3g GB; memory: %.2g GB for each "
        "actor, %.2g GB for the driver's ids; nothing was written",
        found.image_bytes / 1e9,
        found.image_requests,
        found.output_bytes / 1e9,
        found.actor_bytes / 1e9,
        found.driver_bytes / 1e9,
    )
    return {"estimate": dataclasses.asdict(found)}


def _scored(config: ScoreConfig) -> dict[str, Any]:
    from galaxy_models.scoring import score  # only once the flags are accepted

    record = score(config)
    classes = ", ".join(f"{name} {count}" for name, count in record.classes.items())
    logger.info(
        "%s: %d rows, %d failed, %.0f s (%.0f rows/s with start-up)%s",
        config.output,
        record.num_rows,
        record.num_failed,
        record.seconds_this_run,
        record.rows_per_s_this_run,
        f"; {classes}" if classes else "",
    )
    return {
        "rows": record.num_rows,
        "failed": record.num_failed,
        "failure_reasons": record.failure_reasons,
        "classes": record.classes,
        "engine": record.engine,
        "model_hash": record.model_hash,
        "rows_this_run": record.num_rows_this_run,
        "rows_carried_over": record.num_rows_carried_over,
        "rows_per_s": record.rows_per_s_this_run,
        "hats": config.hats,
    }


JOB = Job(
    name="score",
    config_class=ScoreConfig,
    run=score_catalog,
    description=__doc__,
    remedy=RESUMES,
)
