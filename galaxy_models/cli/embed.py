"""Add an embedding to a copy of a model folder that was trained without one.

    galaxy-batch embed --model old --catalog galaxies.csv --output model

The catalog holds galaxies like those that the model learned from, with or without
labels: the copy calls what looks like them familiar. The copy's predictions are the
model's, bit by bit; nothing is trained. Models of ``train`` have an embedding already.
It runs on this machine only, without Ray.
"""

import logging
from typing import Any

from galaxy_models.cli.command_line import Job
from galaxy_models.config import EmbedConfig

logger = logging.getLogger(__name__)


def embed(config: EmbedConfig) -> dict[str, Any]:
    """Add the embedding, then log how much of the features it explains."""
    # Only once the flags are accepted.
    from galaxy_models.training.add_embedding import add_embedding

    card = add_embedding(config)
    record = card.embedding
    assert record is not None
    logger.info(
        "%s: %d components hold %.1f %% of the variance of %d features (%d galaxies)",
        config.output,
        record.num_components,
        100 * record.explained_variance,
        record.num_features,
        record.num_galaxies,
    )
    return {
        "components": record.num_components,
        "explained_variance": record.explained_variance,
        "galaxies": record.num_galaxies,
    }


JOB = Job(
    name="embed",
    config_class=EmbedConfig,
    run=embed,
    description=__doc__,
    remedy="the same command with --overwrite begins anew",
)
