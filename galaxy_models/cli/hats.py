"""Write predictions anew as a HATS catalog, which lsdb opens and crossmatches.

    galaxy-batch hats --predictions predictions --output predictions_hats

The output is a HATS catalog of the same rows and columns, partitioned by position on
the sky; score with ``--keep ra dec``. It runs on this machine only, without Ray; rows
are sorted on disk, so their number is not limited by memory.
"""

import logging
from typing import Any

from galaxy_models.cli.command_line import RESUMES, Job
from galaxy_models.config import HatsConfig

logger = logging.getLogger(__name__)


def write_catalog(config: HatsConfig) -> dict[str, Any]:
    """Write the catalog, then log how large it is."""
    from galaxy_models.tables.hats import write_hats  # only once the flags are accepted

    record = write_hats(config)
    logger.info(
        "%s: %d rows in %d partitions",
        config.output,
        record.num_rows,
        record.num_partitions,
    )
    return {"rows": record.num_rows, "partitions": record.num_partitions}


JOB = Job(
    name="hats",
    config_class=HatsConfig,
    run=write_catalog,
    description=__doc__,
    remedy=RESUMES,
)
