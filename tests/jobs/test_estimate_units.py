"""An estimate's log is for people: times and sizes in units that they would take."""

import pytest

from galaxy_models.cli.score import SIZES, TIMES, Units, shown


@pytest.mark.parametrize(
    ("value", "units", "words"),
    [
        (0.4, TIMES, "0.4 s"),
        (150, TIMES, "2.5 min"),
        (6_264_000, TIMES, "1740 h"),
        (184_132, SIZES, "184 kB"),
        (5.6e12, SIZES, "5.6 TB"),
    ],
)
def test_a_number_is_in_the_largest_unit_that_it_has_one_of(
    value: float, units: Units, words: str
) -> None:
    assert shown(value, units) == words
