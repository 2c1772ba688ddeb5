"""The words of the report on numbers; its layout is that of all predictions."""

from collections.abc import Iterator, Sequence

from galaxy_models.evaluation.cutouts import Cutouts
from galaxy_models.evaluation.layout import Fact, Plot, Table, prediction_page
from galaxy_models.evaluation.number_texts import count, measure, percent, share
from galaxy_models.evaluation.numbers.errors import NumberErrors
from galaxy_models.evaluation.numbers.join import NumbersPart
from galaxy_models.evaluation.numbers.results import NumberEvaluation
from galaxy_models.evaluation.ranks import LEVELS
from galaxy_models.evaluation.wording import FAILED_TERM, NUMBER_TERMS

MAX_FACTS = 4  # numbers whose figures stand large at the top


def number_page(
    evaluation: NumberEvaluation, plots: Sequence[Plot], cutouts: Cutouts
) -> str:
    """Write the page.

    Args:
        evaluation: what was found.
        plots: in the order in which they are shown.
        cutouts: images of the galaxies to show; without any there are no galleries.
    """
    part = evaluation.part
    lead = "which nobody has labelled"
    if part is not None:
        lead = f"compared with the numbers of {part.labels.uri}"
    return prediction_page(
        evaluation.read,
        title="Predicted numbers" + (" against labels" if part else ""),
        lead=lead,
        facts=list(_facts(evaluation)),
        notes=_notes(evaluation),
        tables=_tables(evaluation),
        plots=plots,
        galleries=evaluation.galleries.for_page(cutouts) if cutouts else [],
        terms=[*(NUMBER_TERMS if part else ()), FAILED_TERM],
    )


def _facts(evaluation: NumberEvaluation) -> Iterator[Fact]:
    part = evaluation.part
    if part is None:
        return
    for errors in part.errors[:MAX_FACTS]:
        name, unit = errors.number
        of_mean = f"of predicting the mean: {measure(errors.rms_error_of_mean)}"
        value = f"{measure(errors.rms_error)} {unit}".strip()
        yield Fact(f"RMS error of {name}", value, of_mean)
        yield Fact(f"R² of {name}", share(errors.r2), "share of the variance explained")
    yield Fact("Compared", count(part.num), "galaxies with labels")


def _notes(evaluation: NumberEvaluation) -> Iterator[str]:
    for number, num in evaluation.missing():
        yield (
            f"{count(num)} of the compared galaxies have no finite {number.name} among "
            "the labels; they count in nothing that is said of it."
        )
    if evaluation.part is not None:
        labels = evaluation.part.labels
        for number in labels.numbers:
            if number.name in labels.other_units:
                yield unit_note(number.name, number.unit, labels.other_units)


def unit_note(name: str, unit: str, other_units: dict[str, str]) -> str:
    """Say that a number's labels are in another unit than its predictions."""
    return (
        f"{name} is predicted in {unit}, but its labels are in {other_units[name]}; "
        "nothing is converted."
    )


def _tables(evaluation: NumberEvaluation) -> Iterator[Table]:
    if evaluation.part is not None:
        yield {
            "caption": "Number by number",
            "columns": (
                "number", "galaxies", "bias", "median error", "mean absolute error",
                "RMS error", "RMS error of the mean", "NMAD", "R²", "Spearman",
            ),
            "rows": [_error_row(one) for one in evaluation.part.errors],
        }  # fmt: skip
        yield {
            "caption": "Do predicted standard deviations mean what they say?",
            "columns": (
                "number", "within 1 sd", "within 2 sd",
                *(f"inside {level:.0%}" for level in LEVELS), "−ln likelihood",
            ),
            "rows": [_deviation_row(one) for one in evaluation.part.errors],
        }  # fmt: skip
        yield _match_table(evaluation, evaluation.part)
    yield _predicted_table(evaluation)


def _error_row(errors: NumberErrors) -> tuple[str, ...]:
    in_unit = (
        errors.median_error, errors.mean_absolute_error, errors.rms_error,
        errors.rms_error_of_mean, errors.nmad,
    )  # fmt: skip
    bias = f"{measure(errors.bias)} ± {measure(errors.bias_error)}"
    return (
        errors.number.title,
        count(errors.num),
        bias,
        *map(measure, in_unit),
        share(errors.r2),
        share(errors.spearman),
    )


def _deviation_row(errors: NumberErrors) -> tuple[str, ...]:
    posterior = errors.posterior
    inside = posterior.coverage if posterior else (float("nan"),) * len(LEVELS)
    shares = (errors.within_1_sd, errors.within_2_sd, *inside)
    return (
        errors.number.title,
        *map(percent, shares),
        share(errors.negative_log_likelihood),
    )


def _match_table(evaluation: NumberEvaluation, part: NumbersPart) -> Table:
    rows = [
        ("compared", part.num),
        ("have labels, but their image failed", part.num_failed),
        ("labels without a prediction", len(part.labels) - part.num_found),
        (
            "predictions without labels",
            evaluation.read.tally.num_rows - part.num_found,
        ),
        *((f"compared, but without {one.name}", n) for one, n in evaluation.missing()),
    ]
    return {
        "caption": "Which galaxies were compared",
        "columns": ("", "galaxies"),
        "rows": [(name, count(num)) for name, num in rows],
    }


def _predicted_table(evaluation: NumberEvaluation) -> Table:
    rows = []
    for number, one in zip(evaluation.numbers, evaluation.distributions, strict=True):
        at = one.percentiles()
        figures = one.minimum, at[5], at[50], at[95], one.maximum, one.median_deviation
        rows.append((number.title, *map(measure, figures)))
    return {
        "caption": "What was predicted",
        "columns": (
            "number",
            "least",
            "5 %",
            "median",
            "95 %",
            "greatest",
            "median sd",
        ),
        "rows": rows,
    }
