"""What an evaluation of numbers found: one dataclass, and its JSON.

This module knows neither files nor pictures.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from galaxy_models.evaluation.findings import RowsRead
from galaxy_models.evaluation.number_texts import plain, plain_measure
from galaxy_models.evaluation.numbers.distribution import Distribution
from galaxy_models.evaluation.numbers.errors import NumberErrors
from galaxy_models.evaluation.numbers.gallery import NumberGalleries
from galaxy_models.evaluation.numbers.join import NumbersPart
from galaxy_models.evaluation.results import rows_record
from galaxy_models.evaluation.vote_results import coverage_record
from galaxy_models.tables.number_columns import PredictedNumber


@dataclass(frozen=True)
class NumberEvaluation:
    """All of it."""

    read: RowsRead
    distributions: tuple[Distribution, ...]
    """Of what was predicted, by number."""

    galleries: NumberGalleries
    part: NumbersPart | None
    """None without labels."""

    @property
    def numbers(self) -> tuple[PredictedNumber, ...]:
        """What was predicted."""
        return self.read.predictions.numbers

    def missing(self) -> Iterator[tuple[PredictedNumber, int]]:
        """Give the numbers that some compared galaxies lack, and how many do."""
        if self.part is not None:
            for errors in self.part.errors:
                if errors.num < self.part.num:
                    yield errors.number, self.part.num - errors.num


def numbers_record(evaluation: NumberEvaluation) -> dict[str, Any]:
    """Lay out ``metrics.json``: every figure, null where it is not defined."""
    part, read = evaluation.part, evaluation.read
    predicted = zip(evaluation.numbers, evaluation.distributions, strict=True)
    record: dict[str, Any] = {
        **rows_record(read),
        "targets": [one.name for one in evaluation.numbers],
        "predicted": {
            number.name: _distribution_record(number, distribution)
            for number, distribution in predicted
        },
        "numbers": None,
    }
    if part is not None:
        record["numbers"] = {
            "labels": part.labels.uri,
            "n": part.num,
            "n_failed": part.num_failed,
            "n_labels": len(part.labels),
            "n_labels_without_prediction": len(part.labels) - part.num_found,
            "n_predictions_without_label": read.tally.num_rows - part.num_found,
            "targets": {
                errors.number.name: _errors_record(errors, part.num)
                for errors in part.errors
            },
        }
    return record


def _distribution_record(
    number: PredictedNumber, distribution: Distribution
) -> dict[str, Any]:
    percentiles = distribution.percentiles().items()
    return {
        "unit": number.unit,
        "mean": plain_measure(distribution.mean),
        "minimum": plain_measure(distribution.minimum),
        "maximum": plain_measure(distribution.maximum),
        "percentiles": {str(at): plain_measure(value) for at, value in percentiles},
        "median_sd": plain_measure(distribution.median_deviation),
    }


def _errors_record(errors: NumberErrors, num_compared: int) -> dict[str, Any]:
    in_unit = {
        "bias": errors.bias,
        "bias_standard_error": errors.bias_error,
        "median_error": errors.median_error,
        "mean_absolute_error": errors.mean_absolute_error,
        "rms_error": errors.rms_error,
        "rms_error_of_mean": errors.rms_error_of_mean,
        "nmad": errors.nmad,
    }
    posterior = errors.posterior
    return {
        "unit": errors.number.unit,
        "n_galaxies": errors.num,
        "n_missing": num_compared - errors.num,
        **{name: plain_measure(value) for name, value in in_unit.items()},
        "r2": plain(errors.r2),
        "spearman": plain(errors.spearman),
        "within_1_sd": plain(errors.within_1_sd),
        "within_2_sd": plain(errors.within_2_sd),
        "coverage": coverage_record(posterior) if posterior else None,
        "negative_log_likelihood": plain(errors.negative_log_likelihood),
        "ranks": plain(posterior.rank_counts) if posterior else None,
    }
