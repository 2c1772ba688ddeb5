"""What the validation galaxies say of a trained network, by its head.

Knows tables of predictions; it knows neither networks nor Ray.
"""

import logging

import numpy as np
import pandas as pd
from pandas import DataFrame

from galaxy_models import storage
from galaxy_models.evaluation.votes import VoteErrors, measure_votes
from galaxy_models.models import conformal, dirichlet
from galaxy_models.models.card import LiteRTRecord
from galaxy_models.models.folder import VALIDATION_NAME, VOTES_PLOT_NAME
from galaxy_models.models.heads import ClassesHead, Head, RegressionHead, VotesHead
from galaxy_models.tables.prediction_schema import votes_column
from galaxy_models.training import history
from galaxy_models.training.regression import fitted_deviation, regression_metrics

logger = logging.getLogger(__name__)


def val_metrics(predictions: DataFrame, head: Head) -> dict[str, float]:
    """Summarise the validation galaxies' predictions for the card.

    Args:
        predictions: as ``learner.predict_batches`` gives them.
        head: what the network's outputs mean.
    """
    if isinstance(head, VotesHead):
        return _errors(predictions, head).summary()
    if isinstance(head, RegressionHead):
        return regression_metrics(predictions, head)
    assert isinstance(head, ClassesHead)
    return history.validation_metrics(predictions, head.classes)


def val_temperature(predictions: DataFrame, head: Head) -> float:
    """Fit what scoring divides the logits, or the concentrations, by."""
    if isinstance(head, VotesHead):
        votes, concentrations = _votes_and_concentrations(predictions, head)
        temperature = dirichlet.fit_temperature(votes, concentrations, head.tree)
        logger.info(
            "temperature %.3f: concentrations are divided by it (%d validation "
            "galaxies)",
            temperature,
            len(votes),
        )
        return temperature
    if isinstance(head, RegressionHead):
        return fitted_deviation(predictions, head)
    assert isinstance(head, ClassesHead)
    return history.fitted_temperature(predictions, head.classes)


def val_plausible(
    predictions: DataFrame, head: Head, temperature: float
) -> float | None:
    """Find the probability from which on a class is plausible; None without classes.

    Args:
        predictions: see ``val_metrics``; galaxies whose label is a group are left out.
        head: what the network's outputs mean.
        temperature: what scoring will divide the logits by.
    """
    if not isinstance(head, ClassesHead):
        return None
    labels = pd.Index(head.classes).get_indexer(pd.Index(predictions["label"]))
    outputs = predictions[list(head.output_names)].to_numpy(np.float32)[labels >= 0]
    probabilities = head.calibrated(outputs, temperature)
    return conformal.fit_threshold(probabilities, labels[labels >= 0].astype(np.int64))


def write_validation(folder_uri: str, predictions: DataFrame, head: Head) -> None:
    """Write the validation galaxies' predictions and what they look like."""
    if isinstance(head, ClassesHead):
        history.write_predictions(folder_uri, predictions)
        return
    history.write_frame(folder_uri, VALIDATION_NAME, predictions)
    if isinstance(head, RegressionHead):
        return
    from galaxy_models.evaluation import vote_plots

    assert isinstance(head, VotesHead)
    plot = vote_plots.errors_plot(_errors(predictions, head), "validation galaxies")
    storage.write_bytes(storage.join(folder_uri, VOTES_PLOT_NAME), plot)


def log_agreement(name: str, record: LiteRTRecord) -> None:
    """Say how far a LiteRT file says what the network says."""
    logger.info(
        "%s: agrees with the network on %.1f %% of %d validation galaxies%s, %d "
        "layer(s) in float",
        name,
        100 * record.agreement,
        record.num_galaxies,
        "" if record.val_accuracy is None else f", accuracy {record.val_accuracy:.3f}",
        record.num_float_layers,
    )


def _errors(predictions: DataFrame, head: VotesHead) -> VoteErrors:
    votes, concentrations = _votes_and_concentrations(predictions, head)
    return measure_votes(votes, concentrations, head.tree)


def _votes_and_concentrations(
    predictions: DataFrame, head: VotesHead
) -> tuple[dirichlet.Answers, dirichlet.Answers]:
    votes = predictions[[votes_column(name) for name in head.tree.columns]]
    concentrations = predictions[list(head.output_names)]
    return votes.to_numpy(np.float32), concentrations.to_numpy(np.float32)
