"""Turn a published table of Galaxy Zoo votes into a labelled catalog.

    galaxy-batch votes --votes gz2_hart16.csv.gz --output galaxies.csv

Galaxy Zoo 1 and 2, DECaLS and DESI are known by their columns. A galaxy gets a label if
its vote fractions reach the thresholds of a clean sample; the others are left out. The
catalog is what jobs.train and jobs.evaluate --labels read. No image is looked at.
"""

import logging
from typing import Any

from galaxy_models.cli.command_line import Job
from galaxy_models.config import VotesConfig

logger = logging.getLogger(__name__)


def label_galaxies(config: VotesConfig) -> dict[str, Any]:
    """Convert, then log what the catalog holds."""
    from galaxy_models.tables.vote_tables import convert_votes  # flags are accepted

    conversion = convert_votes(config)
    num_labelled = conversion.classes.total()
    logger.info(
        "%s: %d of %d galaxies of %s have a label (%s); no class reaches its "
        "thresholds for %d, several for %d; %s",
        config.votes,
        num_labelled,
        conversion.num_rows,
        conversion.survey,
        ", ".join(f"{name} {num}" for name, num in conversion.classes.most_common()),
        conversion.num_uncertain,
        conversion.num_ambiguous,
        config.output,
    )
    return {
        "rows": num_labelled,
        "survey": conversion.survey,
        "classes": dict(conversion.classes.most_common()),
        "uncertain": conversion.num_uncertain,
        "ambiguous": conversion.num_ambiguous,
    }


JOB = Job(
    name="votes",
    config_class=VotesConfig,
    run=label_galaxies,
    description=__doc__,
    remedy="run the same command again",
)
