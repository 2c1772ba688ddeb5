"""Write predictions anew as a HATS catalog, which lsdb opens and crossmatches.

    galaxy-batch hats --predictions predictions --output predictions_hats

The output is a HATS catalog of the same rows and columns, partitioned by position on
the sky; score with ``--keep ra dec``. It runs on this machine only, without Ray; rows
are sorted on disk, so their number is not limited by memory.
"""

from typing import Any

from galaxy_models.cli.command_line import RESUMES, Job
from galaxy_models.config import HatsConfig


def write_catalog(config: HatsConfig) -> dict[str, Any]:
    """Write the catalog; say how large it is."""
    from galaxy_models.tables.hats import write_hats  # only once the flags are accepted

    record = write_hats(config)
    return {"rows": record.num_rows, "partitions": record.num_partitions}


JOB = Job(
    name="hats",
    config_class=HatsConfig,
    run=write_catalog,
    description=__doc__,
    remedy=RESUMES,
)
