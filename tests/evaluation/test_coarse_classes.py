"""Labels coarser than the model's classes: what is compared with what."""

import numpy as np
import pytest

from galaxy_models.errors import ConfigError
from galaxy_models.evaluation.coarse_classes import coarse_classes

CLASSES = ("cigar", "edge_on", "in_between", "round", "spiral")
ELLIPTICAL = {"elliptical": ("round", "in_between", "cigar")}
PROBABILITIES = np.array([[0.1, 0.2, 0.3, 0.25, 0.15]], np.float32)


def test_without_groups_the_classes_are_the_models() -> None:
    classes = coarse_classes(CLASSES, {})

    assert classes.names == CLASSES
    np.testing.assert_array_equal(classes.sums(PROBABILITIES), PROBABILITIES)


def test_the_probabilities_of_a_groups_classes_are_added_up() -> None:
    classes = coarse_classes(CLASSES, ELLIPTICAL)

    assert classes.names == ("elliptical", "edge_on", "spiral")
    assert classes.sums(PROBABILITIES)[0] == pytest.approx([0.65, 0.2, 0.15])


def test_a_fine_label_becomes_its_group() -> None:
    of_label = coarse_classes(CLASSES, ELLIPTICAL).of_label

    assert of_label["round"] == of_label["cigar"] == of_label["elliptical"] == 0
    assert of_label["spiral"] == 2


def test_a_group_of_one_class_gives_it_another_name() -> None:
    classes = coarse_classes(CLASSES, {"disc": ("spiral",)})

    assert classes.names == ("cigar", "edge_on", "in_between", "round", "disc")
    assert classes.of_label["spiral"] == classes.of_label["disc"] == 4


def test_two_groups_of_the_same_class_are_that_class() -> None:
    winding = {"spiral_clockwise": ("spiral",), "spiral_anticlockwise": ("spiral",)}
    classes = coarse_classes(CLASSES, winding)

    assert classes.names == CLASSES
    assert {classes.of_label[label] for label in (*winding, "spiral")} == {4}


def test_two_groups_of_the_same_classes_are_called_by_both_labels() -> None:
    groups = {"E": ("round", "cigar"), "early": ("cigar", "round")}
    classes = coarse_classes(CLASSES, groups)

    assert classes.names == ("E / early", "edge_on", "in_between", "spiral")


def test_a_group_may_be_called_as_one_of_its_classes() -> None:
    classes = coarse_classes(CLASSES, {"spiral": ("spiral", "edge_on")})

    assert classes.names == ("cigar", "spiral", "in_between", "round")


def test_sums_never_exceed_1() -> None:
    classes = coarse_classes(("a", "b", "c"), {"d": ("a", "b", "c")})
    rounded_up = np.nextafter(np.full((1, 3), 1 / 3, np.float32), np.float32(1))

    assert classes.sums(rounded_up)[0, 0] == 1


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            {"elliptical": ("round", "oval")},
            "--label-groups elliptical=round+oval: the predictions have no class oval; "
            "theirs are cigar, edge_on",
        ),
        (
            {"smooth": ("round", "cigar"), "early": ("round",)},
            "--label-groups smooth=round.cigar: early has round too, but not the same "
            "classes; give both the same, or no class in common",
        ),
        (
            {"round": ("cigar",)},
            "--label-groups round=cigar: round is a class of the predictions itself; "
            "add it to its group, or give the group another name",
        ),
    ],
)
def test_groups_that_contradict_are_refused(
    groups: dict[str, tuple[str, ...]], message: str
) -> None:
    with pytest.raises(ConfigError, match=message.replace("+", ".")):
        coarse_classes(CLASSES, groups)
