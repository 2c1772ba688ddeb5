"""Find the sources of wide images and classify them; write Parquet for pandas.

    galaxy-batch detect --images frames --output detections

The output is a folder with one row for each source of each image, where it is, how
large and bright, and its class if it is large enough to have one; an image, or a tile
of it, that cannot be read has a row with status "failed" and a reason. With
RAY_ADDRESS set (as ``ray job submit`` does) the job runs on that cluster, otherwise on
this machine.
"""

import logging
from typing import Any

from galaxy_models.cli.command_line import RESUMES, Job
from galaxy_models.config import DetectConfig

logger = logging.getLogger(__name__)


def detect_sources(config: DetectConfig) -> dict[str, Any]:
    """Detect, then log the counts and where the detections are."""
    from galaxy_models.detection import detect  # only once the flags are accepted

    record = detect(config)
    classes = ", ".join(f"{name} {count}" for name, count in record.classes.items())
    logger.info(
        "%s: %d sources in %d images (%.0f megapixels), %d of %d tiles failed, "
        "%.0f s; %s",
        config.output,
        record.num_sources,
        record.num_images,
        record.num_megapixels,
        record.num_failed,
        record.num_tiles,
        record.seconds_this_run,
        classes or "none is large enough to have a class",
    )
    return {
        "images": record.num_images,
        "megapixels": record.num_megapixels,
        "tiles": record.num_tiles,
        "failed": record.num_failed,
        "failure_reasons": record.failure_reasons,
        "rows": record.num_rows,
        "sources": record.num_sources,
        "classes": record.classes,
        "engine": record.engine,
        "model_hash": record.model_hash,
        "tiles_this_run": record.num_tiles_this_run,
    }


JOB = Job(
    name="detect",
    config_class=DetectConfig,
    run=detect_sources,
    description=__doc__,
    remedy=RESUMES,
)
