"""Predict the class of every galaxy of a catalog; write Parquet for pandas.

    python -m jobs.score --catalog survey.parquet --model model --output predictions

The output is a folder with exactly one row for each catalog row; a galaxy whose image
is missing or broken has status "failed" and a reason. With RAY_ADDRESS set (as ``ray
job submit`` does) the job runs on that cluster, otherwise on this machine.
"""

import logging
import sys
from typing import Any

from galaxy_models.config import ScoreConfig
from jobs.command_line import RESUMES, run_job

logger = logging.getLogger(__name__)


def score_catalog(config: ScoreConfig) -> dict[str, Any]:
    """Score, then log the counts and where the predictions are."""
    from galaxy_models.scoring import score  # only once the flags are accepted

    record = score(config)
    classes = ", ".join(f"{name} {count}" for name, count in record.classes.items())
    logger.info(
        "%s: %d rows, %d failed, %.0f s (%.0f rows/s with start-up); %s",
        config.output,
        record.num_rows,
        record.num_failed,
        record.seconds_this_run,
        record.rows_per_s_this_run,
        classes,
    )
    return {
        "rows": record.num_rows,
        "failed": record.num_failed,
        "failure_reasons": record.failure_reasons,
        "classes": record.classes,
        "engine": record.engine,
        "model_hash": record.model_hash,
        "rows_this_run": record.num_rows_this_run,
        "rows_per_s": record.rows_per_s_this_run,
    }


if __name__ == "__main__":
    sys.exit(run_job(ScoreConfig, score_catalog, __doc__, remedy=RESUMES))
