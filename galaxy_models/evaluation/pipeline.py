"""Predictions, and labels if there are any -> metrics, figures, an HTML report.

Runs in this process alone, without Ray or TensorFlow. Predictions are streamed:
memory holds the batches that are read ahead (0.7 GB in all for 10⁷ rows, and for more),
and of each galaxy with a label (five classes) 100 bytes, or 250 if its id is a text.
"""

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from galaxy_models.config import EvaluateConfig
from galaxy_models.config.label_groups import parse_label_groups
from galaxy_models.errors import ConfigError, PredictionsError
from galaxy_models.evaluation import plots, vote_plots
from galaxy_models.evaluation import wording as names
from galaxy_models.evaluation.agreement import Agreement, Join, measure
from galaxy_models.evaluation.coarse_classes import CoarseClasses, coarse_classes
from galaxy_models.evaluation.cutouts import Cutouts, open_cutouts, read_cutouts
from galaxy_models.evaluation.gallery_rows import GalleryRows
from galaxy_models.evaluation.labels import UNUSED, read_labels
from galaxy_models.evaluation.predictions import read_batches
from galaxy_models.evaluation.report import report_page
from galaxy_models.evaluation.report_files import (
    METRICS_NAME,
    OUTPUT,
    write_files,
)
from galaxy_models.evaluation.results import Evaluation, LabelledPart, metrics_record
from galaxy_models.evaluation.sky_map import read_sky_map
from galaxy_models.evaluation.tally import Tally
from galaxy_models.evaluation.vote_join import VoteJoin, VotesPart, read_vote_labels
from galaxy_models.evaluation.votes import VoteErrors
from galaxy_models.storage import output_folder, s3
from galaxy_models.tables.predictions import Predictions, open_predictions

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Report:
    """What was written."""

    page: str
    """URI of the page."""

    num_rows: int
    num_failed: int
    agreement: Agreement | None
    """None where there are no labels."""

    vote_errors: VoteErrors | None = None
    """None where no votes were predicted, or ``--labels`` has none."""


def evaluate(config: EvaluateConfig) -> Report:
    """Evaluate predictions, and write the report.

    Args:
        config: the flags of ``jobs.evaluate``.

    Returns:
        The report's address and its main numbers.

    Raises:
        InputError: predictions, labels, catalog or output cannot serve; nothing was
            written.
        StorageError: an object store stopped answering.

    Example:
        >>> report = evaluate(
        ...     EvaluateConfig(
        ...         predictions="predictions", labels="labels.csv", output="report"
        ...     )
        ... )
        >>> report.page.endswith("report/report.html")
        True
        >>> report.num_rows, report.num_failed
        (5, 1)
        >>> report.agreement.accuracy
        0.75
    """
    with s3.endpoint(config.s3_endpoint_url):
        return _write_report(config)


def _write_report(config: EvaluateConfig) -> Report:
    output = output_folder.check_output(config.output, OUTPUT, config.overwrite)
    source = open_cutouts(config)
    evaluation = _evaluate(config)
    cutouts: Cutouts = {}
    if source is not None:
        ids = {galaxy.object_id for galaxy in evaluation.rows.galaxies}
        cutouts = read_cutouts(source, ids)
    plots = dict(_plots(evaluation))
    contents = {
        **{f"{name}.png": png for name, png in plots.items()},
        METRICS_NAME: output_folder.json_bytes(metrics_record(evaluation)),
    }
    page = report_page(evaluation, plots, cutouts)
    return Report(
        page=write_files(output, contents, page, asdict(config)),
        num_rows=evaluation.tally.num_rows,
        num_failed=evaluation.tally.num_failed,
        agreement=evaluation.labelled.agreement if evaluation.labelled else None,
        vote_errors=evaluation.votes.errors if evaluation.votes else None,
    )


def _evaluate(config: EvaluateConfig) -> Evaluation:
    """Read everything once, and the positions on the sky twice more."""
    predictions = open_predictions(str(config.predictions), "--predictions")
    if predictions.is_unfinished:
        logger.warning("%s: the scoring has not finished", predictions.uri)
    _check_flags(config, predictions)
    groups = parse_label_groups(config.label_groups)
    classes = coarse_classes(predictions.classes, groups)
    num_classes = len(classes.names)
    tally = Tally(num_classes)
    rows = GalleryRows(num_classes, config.gallery_size)
    join, vote_join = _joins(config, predictions, classes)
    for batch in read_batches(predictions, classes):
        tally.add(batch)
        unlabelled = np.full(len(batch.is_ok), UNUSED, np.int64)
        rows.add(batch, unlabelled if join is None else join.add(batch))
        if vote_join is not None:
            vote_join.add(batch)
    _check_any_succeeded(predictions, tally)
    return Evaluation(
        predictions=predictions,
        classes=classes.names,
        groups=groups,
        tally=tally,
        rows=rows,
        sky=read_sky_map(predictions.table),
        labelled=_conclude(join, config.num_bins) if join else None,
        votes=vote_join.conclude() if vote_join else None,
    )


def _check_flags(config: EvaluateConfig, predictions: Predictions) -> None:
    """Refuse flags about classes for votes, and about votes for classes.

    Raises:
        ConfigError: naming the flag.
    """
    about_classes = ("label_groups", "exclude_label")
    is_about_votes = predictions.tree is not None
    for flag in about_classes if is_about_votes else ("volunteers_column",):
        if getattr(config, flag):
            raise ConfigError(
                f"--{flag.replace('_', '-')}: {predictions.uri} holds predicted "
                f"{'votes' if is_about_votes else 'classes'}; leave the flag out."
            )


def _joins(
    config: EvaluateConfig, predictions: Predictions, classes: CoarseClasses
) -> tuple[Join | None, VoteJoin | None]:
    """Read what ``--labels`` names, for the one or the other kind of predictions."""
    if config.labels is None:
        return None, None
    id_type = predictions.table.schema.field("object_id").type
    if predictions.tree is not None:
        votes = read_vote_labels(config, predictions.tree, id_type)
        return None, VoteJoin(votes, predictions.uri)
    labels = read_labels(config, classes, id_type)
    return Join(labels, len(classes.names), predictions.uri), None


def _check_any_succeeded(predictions: Predictions, tally: Tally) -> None:
    if tally.num_rows == 0:
        raise PredictionsError(
            f"--predictions {predictions.uri} has no rows; name the folder that "
            "jobs.score wrote."
        )
    if tally.num_failed == tally.num_rows:
        reasons = ", ".join(f"{name} {num}" for name, num in tally.failed.most_common())
        raise PredictionsError(
            f"all {tally.num_rows} rows of --predictions {predictions.uri} failed "
            f"({reasons}); find out why in their column 'error', and score again."
        )


def _conclude(join: Join, num_bins: int) -> LabelledPart:
    """Measure what was joined.

    Raises:
        PredictionsError: nothing was, or all of it failed.
    """
    join.check_any()
    return LabelledPart(
        labels=join.labels,
        agreement=measure(*join.rows(), num_bins, join.plausible()),
        num_found=join.num_found,
        num_failed=join.num_failed,
    )


def _plots(evaluation: Evaluation) -> Iterator[tuple[str, bytes]]:
    """Draw what there is to draw, in the order in which it is shown."""
    classes, tally = evaluation.classes, evaluation.tally
    if evaluation.labelled is not None:
        agreement = evaluation.labelled.agreement
        yield (
            names.CONFUSION,
            plots.confusion_plot(agreement.confusion, classes, "galaxies"),
        )
        yield (
            names.RELIABILITY,
            plots.reliability_plot(
                agreement.reliability, agreement.expected_calibration_error
            ),
        )
        yield names.COVERAGE, plots.coverage_plot(agreement.coverage)
    if evaluation.votes is not None:
        yield from _vote_plots(evaluation.votes)
    yield (
        names.CLASS_COUNTS,
        plots.class_counts_plot(tally.class_counts, tally.num_failed, classes),
    )
    yield (
        names.CONFIDENCE,
        plots.confidence_plot(tally.confidence_edges, tally.confidence_counts, classes),
    )
    if evaluation.sky is not None:
        yield names.SKY, plots.sky_plot(evaluation.sky)


def _vote_plots(votes: VotesPart) -> Iterator[tuple[str, bytes]]:
    yield names.VOTE_ERRORS, vote_plots.errors_plot(votes.errors, "galaxies")
    first = votes.labels.tree.slices[0]
    question = votes.labels.tree.questions[0].name
    is_known = ~np.isnan(votes.observed[:, first])
    yield (
        names.VOTE_FRACTIONS,
        vote_plots.fractions_plot(
            votes.fractions[:, first][is_known],
            votes.observed[:, first][is_known],
            f"Answers to {question}",
        ),
    )
    if votes.errors.posterior is not None:
        yield names.VOTE_RANKS, vote_plots.posterior_plot(votes.errors.posterior)
