"""Decision trees of volunteers' questions."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from galaxy_models.errors import ConfigError
from galaxy_models.tables.prediction_schema import rows_schema
from galaxy_models.tables.vote_columns import tree_of, vote_fields
from galaxy_models.tables.vote_tables.decision_tree import (
    make_tree,
    read_tree,
    tree_names,
)

SMALL: dict[str, dict[str, str | None]] = {
    "shape": {"smooth": "round", "featured": "arms"},
    "arms": {"yes": None, "no": "round"},
    "round": {"yes": None, "no": None},
}


def test_a_question_stands_after_those_whose_answers_lead_to_it() -> None:
    backwards = dict(reversed(SMALL.items()))

    tree = make_tree(backwards, "t")

    assert [one.name for one in tree.questions] == ["shape", "arms", "round"]
    assert tree.columns[:3] == ("shape_smooth", "shape_featured", "arms_yes")
    assert tree.asked_after == ((), (1,), (0, 3))
    assert make_tree(tree.to_json(), "t") == tree


@pytest.mark.parametrize(
    ("name", "num_questions", "num_answers", "first"),
    [
        ("galaxy-zoo-2", 11, 37, "t01_smooth_or_features"),
        ("galaxy-zoo-desi", 10, 34, "smooth-or-featured"),
    ],
)
def test_the_trees_of_galaxy_zoo_come_with_the_package(
    name: str, num_questions: int, num_answers: int, first: str
) -> None:
    tree = read_tree(name)

    assert name in tree_names()
    assert (len(tree.questions), len(tree.columns)) == (num_questions, num_answers)
    roots = [q.name for q, b in zip(tree.questions, tree.asked_after) if not b]  # noqa: B905
    assert roots == [first]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"round": {"yes": "shape", "no": None}}, "in a circle, .*round"),
        ({"round": {"yes": "bar", "no": None}}, "'yes' of 'round' leads to 'bar'"),
        ({"round": {"yes": None}}, "'round' needs two or more answers"),
        ({"round": ["yes", "no"]}, "'round' needs two or more answers"),
        ({"shape_a": {"b": None, "c": None}, "shape": {"a_b": None, "d": None},
          "arms": {"yes": None, "no": "round"}}, "two answers .* shape_a_b"),
    ],
    ids=["cycle", "nowhere", "one answer", "a list", "same column"],
)  # fmt: skip
def test_what_is_no_tree_is_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "tree.json"
    path.write_text(json.dumps({**SMALL, **changes}))

    with pytest.raises(ConfigError, match=rf"--questions .*tree\.json.*{message}"):
        read_tree(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no decision tree"),
        ("[]", "an object of questions is needed"),
        ('{"a": {"b": null, "b": null}}', "'b' is there twice"),
    ],
)
def test_what_is_no_json_of_questions_is_refused(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "tree.json"
    path.write_text(text)

    with pytest.raises(ConfigError, match=message):
        read_tree(str(path))


def test_a_name_that_is_no_tree_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="galaxy-zoo-2, galaxy-zoo-desi"):
        read_tree("galaxy-zoo-3")


@pytest.mark.parametrize("posterior", [False, True])
def test_a_table_of_predicted_votes_holds_its_tree(posterior: bool) -> None:
    tree = read_tree("galaxy-zoo-desi")

    schema = rows_schema(pa.int64(), [], vote_fields(tree, posterior=posterior))

    assert tree_of(schema, "predictions") == tree
    assert schema.names[1:5] == [
        "smooth-or-featured_smooth_fraction",
        "smooth-or-featured_featured-or-disk_fraction",
        "smooth-or-featured_artifact_fraction",
        "smooth-or-featured_proportion_volunteers_asked",
    ]
    last = "merging_merger_concentration" if posterior else None
    assert (schema.names[-3] == last) == posterior
    for field in list(schema)[1:-2]:
        assert field.type == pa.float32()
        assert {b"ucd", b"description"} <= field.metadata.keys()


def test_a_table_of_classes_holds_none() -> None:
    assert tree_of(pa.schema([pa.field("a_fraction", pa.float32())]), "p") is None


def test_kept_votes_of_an_earlier_scoring_are_not_what_was_predicted() -> None:
    earlier = list(vote_fields(read_tree("galaxy-zoo-2"), posterior=False))
    classes = [pa.field("predicted_class", pa.string())]

    schema = rows_schema(pa.int64(), earlier, classes)

    assert tree_of(schema, "predictions") is None
    assert schema.field(1).metadata[b"description"]
