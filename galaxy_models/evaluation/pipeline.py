"""Predictions, and labels if there are any -> metrics, figures, an HTML report.

Runs in this process alone, without Ray or TensorFlow. Predictions are streamed:
memory holds the batches that are read ahead (0.7 GB in all for 10⁷ rows, and for more),
and of each galaxy with a label (five classes) 100 bytes, or 250 if its id is a text.
Findings about classes and votes are made here, those about numbers in ``numbers``.
"""

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import partial

import numpy as np

from galaxy_models.config import EvaluateConfig
from galaxy_models.config.label_groups import parse_label_groups
from galaxy_models.errors import ConfigError
from galaxy_models.evaluation import plots, vote_plots
from galaxy_models.evaluation import wording as names
from galaxy_models.evaluation.agreement import Agreement, Join, measure
from galaxy_models.evaluation.coarse_classes import CoarseClasses, coarse_classes
from galaxy_models.evaluation.cutouts import Cutouts, open_cutouts, read_cutouts
from galaxy_models.evaluation.findings import Findings, rows_read
from galaxy_models.evaluation.gallery_rows import GalleryRows
from galaxy_models.evaluation.labels import UNUSED, read_labels
from galaxy_models.evaluation.layout import Plot
from galaxy_models.evaluation.numbers.errors import NumberErrors
from galaxy_models.evaluation.numbers.pipeline import number_findings
from galaxy_models.evaluation.predictions import read_batches
from galaxy_models.evaluation.report import report_page
from galaxy_models.evaluation.report_files import (
    METRICS_NAME,
    OUTPUT,
    write_files,
)
from galaxy_models.evaluation.results import Evaluation, LabelledPart, metrics_record
from galaxy_models.evaluation.tally import Tally
from galaxy_models.evaluation.vote_join import VoteJoin, VotesPart, read_vote_labels
from galaxy_models.evaluation.votes import VoteErrors
from galaxy_models.storage import output_folder, s3_settings
from galaxy_models.tables.predictions import Kind, Predictions, open_predictions

logger = logging.getLogger(__name__)

FLAGS: dict[str, Kind] = {
    "label_column": "classes",
    "label_groups": "classes",
    "exclude_label": "classes",
    "num_bins": "classes",
    "volunteers_column": "votes",
}
"""Flags that mean nothing for other kinds of predictions."""


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

    number_errors: tuple[NumberErrors, ...] | None = None
    """The same for measured numbers, in the order of their columns."""


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
    with s3_settings.endpoint(config.s3_endpoint_url):
        return _write_report(config)


def _write_report(config: EvaluateConfig) -> Report:
    output = output_folder.check_output(config.output, OUTPUT, config.overwrite)
    source = open_cutouts(config)
    predictions = open_predictions(str(config.predictions), "--predictions")
    if predictions.is_unfinished:
        logger.warning("%s: the scoring has not finished", predictions.uri)
    _check_flags(config, predictions)
    find = number_findings if predictions.numbers else _class_findings
    found = find(config, predictions)
    cutouts: Cutouts = {}
    if source is not None:
        cutouts = read_cutouts(source, found.shown_ids)
    contents = {
        **{f"{name}.png": png for name, png in found.plots.items()},
        METRICS_NAME: output_folder.json_bytes(found.record),
    }
    return Report(
        page=write_files(output, contents, found.page(cutouts), asdict(config)),
        num_rows=found.tally.num_rows,
        num_failed=found.tally.num_failed,
        agreement=found.agreement,
        vote_errors=found.vote_errors,
        number_errors=found.number_errors,
    )


def _check_flags(config: EvaluateConfig, predictions: Predictions) -> None:
    """Refuse flags that are about another kind of predictions.

    Raises:
        ConfigError: naming the flag.
    """
    defaults = {field.name: field.default for field in fields(EvaluateConfig)}
    for flag, kind in FLAGS.items():
        is_given = getattr(config, flag) != defaults[flag]
        if is_given and kind != predictions.kind:
            raise ConfigError(
                f"--{flag.replace('_', '-')}: {predictions.uri} holds predicted "
                f"{predictions.kind}; leave the flag out."
            )


def _class_findings(config: EvaluateConfig, predictions: Predictions) -> Findings:
    """Measure and draw what was predicted, be it classes or votes."""
    evaluation = _evaluate(config, predictions)
    drawn = [
        Plot(name, names.PLOT_TEXTS[name], png) for name, png in _plots(evaluation)
    ]
    return Findings(
        tally=evaluation.tally,
        shown_ids={galaxy.object_id for galaxy in evaluation.rows.galaxies},
        plots={plot.name: plot.png for plot in drawn},
        record=metrics_record(evaluation),
        page=partial(report_page, evaluation, drawn),
        agreement=evaluation.labelled.agreement if evaluation.labelled else None,
        vote_errors=evaluation.votes.errors if evaluation.votes else None,
    )


def _evaluate(config: EvaluateConfig, predictions: Predictions) -> Evaluation:
    """Read everything once, and the positions on the sky twice more."""
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
    return Evaluation(
        read=rows_read(predictions, tally, rows.failed),
        classes=classes.names,
        groups=groups,
        tally=tally,
        rows=rows,
        labelled=_conclude(join, config.num_bins) if join else None,
        votes=vote_join.conclude() if vote_join else None,
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
    if evaluation.read.sky is not None:
        yield names.SKY, plots.sky_plot(evaluation.read.sky)


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
    posterior = votes.errors.posterior
    if posterior is not None:
        yield (
            names.VOTE_RANKS,
            plots.ranks_plot(posterior, "votes", "density, weighted by voters"),
        )
