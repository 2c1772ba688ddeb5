"""Make a page on which a person labels the galaxies that would teach most.

    galaxy-batch label_page --predictions scored --catalog galaxies.csv --output page

The predictions were made with --embedding. The output is a folder with label.html, one
file that needs no network: galaxies that are uncertain and unlike each other, one after
the other. The keys 1 to 9 give a class, Backspace undoes, S saves labels.csv, which
``train --start-from`` takes. It runs on this machine only, without Ray.
"""

import logging
from typing import Any

from galaxy_models.cli.command_line import Job
from galaxy_models.config import LabelPageConfig

logger = logging.getLogger(__name__)


def write_page(config: LabelPageConfig) -> dict[str, Any]:
    """Choose galaxies, then log where the page is."""
    from galaxy_models.exploration.label_page import make_label_page  # flags are good

    page, num_galaxies = make_label_page(config)
    logger.info("%d galaxies to label; %s", num_galaxies, page)
    return {"page": page, "galaxies": num_galaxies}


JOB = Job(
    name="label_page",
    config_class=LabelPageConfig,
    run=write_page,
    description=__doc__,
    remedy="the same command with --overwrite begins anew",
)
