"""Errors of predicted numbers, and whether their deviations mean what they say."""

import numpy as np
import pyarrow as pa
import pytest
from number_files import BULGE, RADIUS
from scipy import stats

from galaxy_models.evaluation.numbers.distribution import Distributions
from galaxy_models.evaluation.numbers.errors import measure_number
from galaxy_models.evaluation.numbers.plots import file_names
from galaxy_models.evaluation.ranks import LEVELS
from galaxy_models.scoring.answers import target_fields
from galaxy_models.tables.number_columns import PredictedNumber, numbers_of
from galaxy_models.tables.prediction_schema import rows_schema
from galaxy_models.tables.predictions import NumberRows

NUMBER = PredictedNumber("radius", "arcsec")


def test_errors_are_those_of_every_textbook() -> None:
    truths, means = np.array([1.0, 2.0, 3.0, 10.0]), np.array([2.0, 2.0, 3.0, 5.0])

    errors = measure_number(NUMBER, truths, means, np.array([1.0, 1.0, 1.0, 4.0]))

    assert (errors.num, errors.bias, errors.median_error) == (4, -1, 0)
    assert errors.mean_absolute_error == 1.5
    assert errors.rms_error == pytest.approx(np.sqrt(26 / 4))
    assert errors.rms_error_of_mean == pytest.approx(np.sqrt(50 / 4))
    assert errors.r2 == pytest.approx(1 - 26 / 50)
    assert errors.nmad == pytest.approx(1.4826 * 0.5, rel=1e-4)
    assert errors.bias_error == pytest.approx(np.std([1, 0, 0, -5], ddof=1) / 2)
    # Two are alike: ranks 1.5, 1.5, 3, 4 against 1, 2, 3, 4.
    assert errors.spearman == pytest.approx(
        np.corrcoef([1.5, 1.5, 3, 4], range(4))[0, 1]
    )
    assert (errors.within_1_sd, errors.within_2_sd) == (0.75, 1)


@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_coverage_and_ranks_tell_deviations_that_are_too_small(factor: float) -> None:
    chances = (np.arange(1000) + 0.5) / 1000
    truths = 5 + 2 * stats.norm.ppf(chances)  # 1000 galaxies of mean 5 and deviation 2

    errors = measure_number(
        NUMBER, truths, np.full(1000, 5.0), np.full(1000, 2 * factor)
    )

    posterior = errors.posterior
    assert posterior is not None
    expected = (
        2 * stats.norm.cdf(factor * stats.norm.ppf(0.5 + np.array(LEVELS) / 2)) - 1
    )
    np.testing.assert_allclose(posterior.coverage, expected, atol=2e-3)
    is_flat = np.allclose(posterior.rank_counts, 1 / 20, atol=1e-3)
    assert is_flat == (factor == 1)
    surprise = np.log(2 * factor * np.sqrt(2 * np.pi)) + 0.5 / factor**2
    assert errors.negative_log_likelihood == pytest.approx(surprise, abs=5e-3)


def test_what_is_not_defined_is_no_number() -> None:
    same = measure_number(NUMBER, np.full(3, 2.0), np.arange(3.0), np.ones(3))
    nothing = measure_number(NUMBER, *np.empty((3, 0)))

    assert np.isnan([same.r2, same.spearman]).all()
    assert same.rms_error_of_mean == 0
    assert (nothing.num, nothing.posterior) == (0, None)
    assert np.isnan(nothing.rms_error)


def test_extremes_are_of_all_rows_and_percentiles_of_a_sample() -> None:
    distributions = Distributions(2, size=500)
    for start in range(0, 10_000, 1000):
        means = np.arange(start, start + 1000, dtype=np.float32)[:, None] * (1, 10)
        means[0] = np.nan  # failed
        distributions.add(
            NumberRows(pa.nulls(1000), means, means + 1, pa.nulls(1000, pa.string()))
        )

    first, second = distributions.conclude()
    assert (first.minimum, first.maximum, second.maximum) == (1, 9999, 99990)
    assert first.mean == pytest.approx(np.mean([i for i in range(10_000) if i % 1000]))
    assert len(first.means) == len(np.unique(first.means)) == 500
    assert first.percentiles()[50] == pytest.approx(5000, abs=700)  # 3 standard errors
    np.testing.assert_allclose(second.deviations, 10 * first.means + 1)


def test_kept_numbers_of_an_earlier_scoring_are_not_what_was_predicted() -> None:
    earlier, own = list(target_fields(RADIUS)), list(target_fields(BULGE))
    plain = pa.field("ra", pa.float64())

    assert numbers_of(rows_schema(pa.int64(), [*earlier, plain], own)) == (
        ("bulge", ""),
    )
    assert numbers_of(rows_schema(pa.int64(), earlier, own)) == (("bulge", ""),)
    classes = [pa.field("predicted_class", pa.string())]
    assert numbers_of(rows_schema(pa.int64(), earlier, classes)) == ()


def test_a_files_name_has_nothing_of_a_path() -> None:
    names = ["../log(M/Msun)", "radius", "radius²"]
    assert file_names([PredictedNumber(n) for n in names]) == [
        "_log_M_Msun_",
        "radius",
        "radius²",
    ]
    alike = [PredictedNumber("a/b"), PredictedNumber("A b")]
    assert file_names(alike) == ["a_b_1", "A_b_2"]
