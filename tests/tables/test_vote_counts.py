"""Volunteers' votes out of tables."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from galaxy_models.errors import CatalogError
from galaxy_models.tables.vote_tables.decision_tree import make_tree
from galaxy_models.tables.vote_tables.vote_counts import find_vote_columns

TREE = make_tree(
    {"shape": {"smooth": None, "disk": "arms"}, "arms": {"yes": None, "no": None}}, "t"
)
ANSWERS = ("shape_smooth", "shape_disk", "arms_yes", "arms_no")
NAN = float("nan")


def read(rows: list[list[float | None]], suffix: str = "", **more: Any) -> Any:
    """Read a table with these votes of each galaxy, ids from 7 on."""
    columns = zip(*rows, strict=True)
    table = pa.table(
        {
            **{f"{name}{suffix}": list(c) for name, c in zip(ANSWERS, columns)},  # noqa: B905
            **{name: values for name, values in more.items() if name != "volunteers"},
        }
    )
    found = find_vote_columns(TREE, table.column_names, "t.csv", more.get("volunteers"))
    return found.read(table, list(range(7, 7 + len(rows))))


@pytest.mark.parametrize("suffix", ["", "_count"])
def test_counts_are_read_as_they_are(suffix: str) -> None:
    votes = read([[3, 7, 6, 1], [4, 0, 0, 0]], suffix)

    assert votes.tolist() == [[3, 7, 6, 1], [4, 0, 0, 0]]


@pytest.mark.parametrize("suffix", ["", "_fraction", "_debiased"])
def test_fractions_become_counts_along_the_tree(suffix: str) -> None:
    rows: list[list[float | None]] = [[0.25, 0.75, 0.5, 0.5], [1, 0, NAN, None]]

    votes = read(rows, suffix, num_volunteers=[40, 10])

    assert votes.tolist() == [[10, 30, 15, 15], [10, 0, 0, 0]]


def test_debiased_fractions_of_a_question_add_up_to_those_who_were_asked() -> None:
    votes = read([[0.6, 0.9, 0.2, 0.2]], people=[50], volunteers="people")

    np.testing.assert_allclose(votes, [[20, 30, 15, 15]])


def test_a_question_with_a_missing_answer_has_no_votes_nor_have_those_after() -> None:
    votes = read([[0.5, 0.5, None, 1], [0.5, 0.5, 0.5, 0.5]], num_volunteers=[8, 8])

    assert votes.tolist() == [[4, 4, 0, 0], [4, 4, 2, 2]]


@pytest.mark.parametrize(
    ("row", "more", "message"),
    [
        ([3, -1, 0, 0], {}, "'shape_disk' of t.csv: -1 of galaxy 8 is negative"),
        ([3, float("inf"), 0, 0], {}, "galaxy 8 is infinite"),
        ([3, 5, 5, 1], {}, "galaxy 8 .* 6 votes for 'arms' and 5 .*shape_disk"),
        ([0, 0, 0, 0], {}, "1 galaxies of t.csv have no votes at all, such as 8"),
        ([None, 3, 0, 0], {}, "no votes at all, such as 8"),
        ([0.5, 1.5, 0, 1], {"num_volunteers": [9, 9]}, "above 1: .*--volunteers-col"),
        ([0.5, 0.5, 0, 1], {"num_volunteers": [9, 0]}, "'num_volunteers' .* is 0 for"),
        ([0.5, 0.5, 0, 1], {"num_volunteers": [9, None]}, "is nan for galaxy 8"),
    ],
    ids=["negative", "infinite", "more than the parent's", "none", "missing",
         "counts", "no volunteers", "unknown volunteers"],
)  # fmt: skip
def test_votes_that_cannot_be_are_refused(
    row: list[float | None], more: dict[str, Any], message: str
) -> None:
    good = [0.5, 0.5, 1, 0] if more else [3, 7, 6, 1]

    with pytest.raises(CatalogError, match=message):
        read([list(good), row], **more)


def test_texts_are_no_votes() -> None:
    table = pa.table({name: ["many"] for name in ANSWERS})

    with pytest.raises(CatalogError, match="'shape_smooth' of t.csv holds no numbers"):
        find_vote_columns(TREE, ANSWERS, "t.csv", None).read(table, [1])


def test_a_table_without_an_answers_column_says_which() -> None:
    with pytest.raises(CatalogError, match=r"1 of the 4 answers .*: arms_no; .*arms"):
        find_vote_columns(TREE, ANSWERS[:3], "t.csv", None)
    with pytest.raises(CatalogError, match="--volunteers-column people: no such"):
        find_vote_columns(TREE, ANSWERS, "t.csv", "people")


def test_none_says_that_answers_are_counts_whatever_else_is_there() -> None:
    names = [*ANSWERS, "num_volunteers"]

    assert find_vote_columns(TREE, names, "t", None).volunteers == "num_volunteers"
    assert find_vote_columns(TREE, names, "t", "none").volunteers is None


@pytest.mark.parametrize(
    ("totals", "most", "message"),
    [
        ([5, 5, 0, 0], 5, "question 'arms': nobody answered it"),
        ([5, 5, 1, 1], 1, "are these fractions"),
    ],
)
def test_votes_that_teach_nothing_are_refused(
    totals: list[float], most: float, message: str
) -> None:
    columns = find_vote_columns(TREE, ANSWERS, "t.csv", None)

    with pytest.raises(CatalogError, match=message):
        columns.check_totals(np.asarray(totals), most)
