"""Labels that stand for one of several classes."""

import numpy as np
import pytest

from galaxy_models.config.label_groups import members, parse_label_groups
from galaxy_models.errors import ConfigError

CLASSES = ("cigar", "in_between", "round", "spiral")
GROUPS = parse_label_groups(["elliptical=round+in_between+cigar", "anticlock=spiral"])


def test_a_group_may_be_any_of_its_classes() -> None:
    """A class is itself alone."""
    table = members(["elliptical", "spiral", "anticlock"], CLASSES, GROUPS)
    expected = [[1, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1]]
    np.testing.assert_array_equal(table, np.asarray(expected, bool))


@pytest.mark.parametrize(
    "text", ["elliptical", "=round", "elliptical=", "e=round+", "e=round+round"]
)
def test_a_group_that_names_no_classes_is_refused(text: str) -> None:
    """The message shows what was given and how to write it."""
    with pytest.raises(ConfigError, match="--label-groups .*such as elliptical="):
        parse_label_groups([text])


def test_a_group_given_twice_is_refused() -> None:
    """Which of the two would count?"""
    with pytest.raises(ConfigError, match="e is given twice"):
        parse_label_groups(["e=a+b", "e=c"])


def test_a_label_that_is_neither_class_nor_group_is_an_error() -> None:
    """Callers check labels first, where they can name the catalog."""
    with pytest.raises(KeyError, match="merger"):
        members(["merger"], CLASSES, GROUPS)
