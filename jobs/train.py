"""Train a network on labelled galaxies over the CPUs or GPUs that are there.

    python -m jobs.train --catalog galaxies.csv --network mobilenet_v2 --output model

Out comes a model folder: the network, its card, the history of its training and its
predictions for the validation galaxies. With RAY_ADDRESS set (as ``ray job submit``
does) the work runs on that cluster, else on this machine.
"""

import logging
import sys
from typing import Any

from galaxy_models.config import TrainConfig
from galaxy_models.training import fit
from jobs.command_line import RESUMES, run_job

logger = logging.getLogger(__name__)


def train(config: TrainConfig) -> dict[str, Any]:
    """Fit, then say where the model is and how good."""
    card = fit(config)
    logger.info(
        "model folder %s: validation accuracy %.3f, mean recall of the classes %.3f",
        config.output,
        card.metrics["val_accuracy"],
        card.metrics["val_balanced_accuracy"],
    )
    return {
        "epochs": card.num_epochs,
        "val_accuracy": card.metrics["val_accuracy"],
        "val_balanced_accuracy": card.metrics["val_balanced_accuracy"],
        "temperature": card.temperature,
        "network": card.network,
        "model_hash": card.model_hash,
    }


if __name__ == "__main__":
    sys.exit(run_job(TrainConfig, train, __doc__, remedy=RESUMES))
