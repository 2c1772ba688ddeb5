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

Units = tuple[tuple[float, str], ...]

CORES = (16, 128, 1024)  # for which an estimate gives the time
S_PER_H = 3600
TIMES: Units = ((S_PER_H, "h"), (60, "min"), (1, "s"))
SIZES: Units = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "bytes"))


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
    elsewhere = (
        f"{shown(found.core_hours * S_PER_H / num, TIMES)} on {num}" for num in CORES
    )
    logger.info(
        "%d rows: %s on the %d core(s) here, %s, and start-up",
        found.num_rows,
        shown(found.hours * S_PER_H, TIMES),
        found.num_cores,
        ", ".join(elsewhere),
    )
    logger.info(
        "images: %s, %d requests; predictions: %s; memory: %s for each actor, %s for "
        "the driver's ids; nothing was written",
        shown(found.image_bytes, SIZES),
        found.image_requests,
        shown(found.output_bytes, SIZES),
        shown(found.actor_bytes, SIZES),
        shown(found.driver_bytes, SIZES),
    )
    return {"estimate": dataclasses.asdict(found)}


def shown(value: float, units: Units) -> str:
    """Write a number in the largest unit that it has one of, such as 2.4 h.

    Args:
        value: in the last of the units.
        units: sizes and names, the largest first.
    """
    size, name = next((unit for unit in units if value >= unit[0]), units[-1])
    number = value / size
    return f"{number:.{0 if number >= 10 else 1}f} {name}"


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
