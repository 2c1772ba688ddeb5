"""Train a network on labelled galaxies, on all available CPUs or GPUs.

    galaxy-batch train --catalog galaxies.csv --network mobilenet_v2 --output model

The output is a model folder: the network, its card, the training history and the
predictions for the validation galaxies. With RAY_ADDRESS set (as ``ray job submit``
does) the job runs on that cluster, otherwise on this machine.
"""

import logging
from typing import Any

from galaxy_models.cli.command_line import RESUMES, Job
from galaxy_models.config import TrainConfig

logger = logging.getLogger(__name__)


MAIN_METRICS = {
    "val_accuracy": "validation accuracy",
    "val_balanced_accuracy": "mean recall of the classes",
    "val_fraction_error_of_mean": "predicting the mean",
    "val_fraction_error": "validation error of the fractions",
    "val_r2_": "explained variance of ",
}
"""How figures of the validation galaxies begin that are shown, and what they are."""


def train(config: TrainConfig) -> dict[str, Any]:
    """Train, then log where the model is and how accurate."""
    from galaxy_models.training import fit  # only once the flags are accepted

    card = fit(config)
    main = {
        name: value
        for name, value in card.metrics.items()
        if name.startswith(tuple(MAIN_METRICS))
    }
    logger.info(
        "model folder %s: %s",
        config.output,
        ", ".join(f"{_words(name)} {value:.3f}" for name, value in main.items()),
    )
    return {
        "epochs": card.num_epochs,
        **main,
        "temperature": card.temperature,
        "network": card.network,
        "model_hash": card.model_hash,
    }


def _words(metric: str) -> str:
    """Say what a figure is; a column's name stays at its end."""
    for start, words in MAIN_METRICS.items():
        if metric.startswith(start):
            return words + metric.removeprefix(start)
    raise KeyError(metric)


JOB = Job(
    name="train",
    config_class=TrainConfig,
    run=train,
    description=__doc__,
    remedy=RESUMES,
)
