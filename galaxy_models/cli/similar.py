"""Find galaxies that look like given ones, or like no others.

    galaxy-batch similar --predictions scored --like 1237648720693755918
        --catalog galaxies.csv --output neighbours

The predictions were made with --embedding. The output is a folder with
neighbours.parquet, or anomalies.parquet, and similar.html, a gallery in one file that
needs no network. The search is exact, and streams the predictions: their number is not
limited by memory. It runs on this machine only, without Ray.
"""

import logging
from typing import Any

from galaxy_models.cli.command_line import Job
from galaxy_models.config import SimilarConfig

logger = logging.getLogger(__name__)


def find_similar(config: SimilarConfig) -> dict[str, Any]:
    """Search, then log how many were found and where the page is."""
    from galaxy_models.exploration.similar import similar  # once flags are accepted

    found = similar(config)
    num_neighbours = 0 if found.neighbours is None else len(found.neighbours)
    num_anomalies = 0 if found.anomalies is None else len(found.anomalies)
    logger.info(
        "%d neighbours of %d galaxies, %d odd galaxies; %s",
        num_neighbours,
        len(config.like),
        num_anomalies,
        found.page,
    )
    return {
        "page": found.page,
        "neighbours": num_neighbours,
        "anomalies": num_anomalies,
    }


JOB = Job(
    name="similar",
    config_class=SimilarConfig,
    run=find_similar,
    description=__doc__,
    remedy="the same command with --overwrite begins anew",
)
