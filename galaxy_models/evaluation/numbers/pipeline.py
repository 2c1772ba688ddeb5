"""Predicted numbers, and labels if there are any -> what a report is made of."""

import logging
from functools import partial

import numpy as np

from galaxy_models.config import EvaluateConfig
from galaxy_models.evaluation import plots
from galaxy_models.evaluation import wording as names
from galaxy_models.evaluation.findings import Findings, rows_read
from galaxy_models.evaluation.layout import Plot
from galaxy_models.evaluation.numbers.distribution import Distributions
from galaxy_models.evaluation.numbers.gallery import NumberGalleries
from galaxy_models.evaluation.numbers.join import NumberJoin, read_number_labels
from galaxy_models.evaluation.numbers.page import number_page, unit_note
from galaxy_models.evaluation.numbers.plots import number_plots
from galaxy_models.evaluation.numbers.results import NumberEvaluation, numbers_record
from galaxy_models.evaluation.tally import RowTally
from galaxy_models.tables.predictions import Predictions, read_numbers

logger = logging.getLogger(__name__)


def number_findings(config: EvaluateConfig, predictions: Predictions) -> Findings:
    """Read everything once, and the positions on the sky twice more.

    Raises:
        CatalogError: the labels cannot serve.
        PredictionsError: the predictions cannot, or no galaxy has labels.
    """
    evaluation = _evaluate(config, predictions)
    drawn = list(
        number_plots(evaluation.distributions, evaluation.numbers, evaluation.part)
    )
    sky = evaluation.read.sky
    if sky is not None:
        png = plots.sky_plot(sky)
        drawn.append(Plot(names.SKY, names.PLOT_TEXTS[names.SKY], png))
    return Findings(
        tally=evaluation.read.tally,
        shown_ids=evaluation.galleries.shown_ids,
        plots={plot.name: plot.png for plot in drawn},
        record=numbers_record(evaluation),
        page=partial(number_page, evaluation, drawn),
        number_errors=evaluation.part.errors if evaluation.part else None,
    )


def _evaluate(config: EvaluateConfig, predictions: Predictions) -> NumberEvaluation:
    numbers = predictions.numbers
    tally, distributions = RowTally(), Distributions(len(numbers))
    galleries = NumberGalleries(numbers, config.gallery_size)
    join = _join(config, predictions)
    for rows in read_numbers(predictions):
        tally.add_rows(rows)
        distributions.add(rows)
        unknown = np.full(rows.means.shape, np.nan)
        galleries.add(rows, unknown if join is None else join.add(rows))
    read = rows_read(predictions, tally, galleries.failed.galaxies)
    return NumberEvaluation(
        read=read,
        distributions=distributions.conclude(),
        galleries=galleries,
        part=join.conclude() if join else None,
    )


def _join(config: EvaluateConfig, predictions: Predictions) -> NumberJoin | None:
    if config.labels is None:
        return None
    labels = read_number_labels(config, predictions)
    for number in labels.numbers:
        if number.name in labels.other_units:
            logger.warning(unit_note(number.name, number.unit, labels.other_units))
    return NumberJoin(labels, predictions.uri)
