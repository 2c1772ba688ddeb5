"""Compare predictions with labels, or detections with a truth; write a web page.

    galaxy-batch evaluate --predictions scored --labels galaxies.csv --output report
    galaxy-batch evaluate --detections found --truth truth.parquet --output report

The output is a folder with report.html (one file that needs no network), metrics.json
and the figures as PNG. Without --labels the report describes the predictions: classes
and confidence, or distributions of numbers, positions on the sky, example galaxies. It
runs on this machine only, without Ray; predictions are streamed, so their number is not
limited by memory.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from galaxy_models.cli.command_line import Job
from galaxy_models.config import EvaluateConfig

if TYPE_CHECKING:
    from galaxy_models.evaluation.numbers.errors import NumberErrors
    from galaxy_models.evaluation.votes import QuestionErrors

logger = logging.getLogger(__name__)


def write_report(config: EvaluateConfig) -> dict[str, Any]:
    """Evaluate, then log the main numbers and where the page is."""
    if config.detections is not None:
        return _write_detection_report(config)
    from galaxy_models.evaluation import evaluate  # only once the flags are accepted

    report = evaluate(config)
    agreement = report.agreement
    figures = {
        "page": report.page,
        "rows": report.num_rows,
        "failed": report.num_failed,
        "compared": agreement and agreement.num,
        "accuracy": agreement and agreement.accuracy,
        "macro_f1": agreement and agreement.macro_f1,
        "expected_calibration_error": agreement
        and agreement.expected_calibration_error,
    }
    if report.vote_errors is not None:
        return figures | _vote_figures(report.vote_errors.total, report.page)
    if report.number_errors is not None:
        return figures | _number_figures(report.number_errors, report.page)
    if agreement is None:
        logger.info(
            "%d rows, %d failed, no labels; %s",
            report.num_rows,
            report.num_failed,
            report.page,
        )
        return figures
    logger.info(
        "accuracy %.3f (95 %%: %.3f to %.3f) of %d galaxies, macro-F1 %.3f, expected "
        "calibration error %.3f; %s",
        agreement.accuracy,
        *agreement.accuracy_interval,
        agreement.num,
        agreement.macro_f1,
        agreement.expected_calibration_error,
        report.page,
    )
    return figures


def _vote_figures(errors: "QuestionErrors", page: str) -> dict[str, Any]:
    """Log the error of predicted votes, and give it for the summary."""
    logger.info(
        "mean error of a vote fraction %.3f, weighted by voters (of predicting the "
        "mean: %.3f); %d galaxies compared; %s",
        errors.error,
        errors.error_of_mean,
        errors.num_galaxies,
        page,
    )
    return {
        "compared": errors.num_galaxies,
        "fraction_error": errors.error,
        "fraction_error_of_mean": errors.error_of_mean,
    }


def _number_figures(errors: "Sequence[NumberErrors]", page: str) -> dict[str, Any]:
    """Log the errors of predicted numbers, and give them for the summary."""
    for one in errors:
        logger.info(
            "%s: RMS error %.4g %s (of predicting the mean: %.4g), R² %.3f, bias %.2g, "
            "%d galaxies compared",
            one.number.name,
            one.rms_error,
            one.number.unit,
            one.rms_error_of_mean,
            one.r2,
            one.bias,
            one.num,
        )
    logger.info("%s", page)
    return {
        "compared": max(one.num for one in errors),
        "rms_errors": {one.number.name: one.rms_error for one in errors},
        "r2": {one.number.name: one.r2 for one in errors},
    }


def _write_detection_report(config: EvaluateConfig) -> dict[str, Any]:
    from galaxy_models.evaluation.detections import evaluate_detections

    report = evaluate_detections(config)
    evaluation, purity = report.evaluation, report.evaluation.purity
    logger.info(
        "%d of %d galaxies found, 50 %% limit %.2f mag, position error %.2f px, purity "
        "%.3f, of galaxies %.3f; %s",
        evaluation.num_found,
        evaluation.num_galaxies,
        evaluation.limits[0.5],
        evaluation.positions.median,
        purity.significant if purity else float("nan"),
        purity.of_galaxies if purity else float("nan"),
        report.page,
    )
    return {
        "page": report.page,
        "galaxies": evaluation.num_galaxies,
        "found": evaluation.num_found,
        "classes_right": evaluation.classes.accuracy,
        "purity": purity and purity.significant,
        "galaxies_purity": purity and purity.of_galaxies,
    }


JOB = Job(
    name="evaluate",
    config_class=EvaluateConfig,
    run=write_report,
    description=__doc__,
    remedy="the same command with --overwrite begins anew",
)
