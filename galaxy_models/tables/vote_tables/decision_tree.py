"""A decision tree of questions about a galaxy: read from JSON, checked; names only.

    {"smooth-or-featured": {"smooth": "how-rounded", "featured": null}, …}

Each question lists its answers, and each answer the question that it leads to, or null
where it ends. A question that several answers lead to is asked after any of them; one
that none leads to is asked of everyone.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from importlib import resources
from typing import Any

from galaxy_models import storage
from galaxy_models.errors import ConfigError
from galaxy_models.tables.object_ids import shown

TREES = resources.files("galaxy_models.tables.vote_tables") / "trees"
SUFFIX = ".json"


@dataclass(frozen=True)
class Question:
    """A question, and where its answers lead."""

    name: str
    answers: tuple[str, ...]
    leads_to: tuple[str | None, ...]
    """By answer: the question that is asked next; None where there is none."""

    @property
    def columns(self) -> tuple[str, ...]:
        """What each answer is called in tables: ``<question>_<answer>``."""
        return tuple(f"{self.name}_{answer}" for answer in self.answers)


@dataclass(frozen=True)
class DecisionTree:
    """Questions, in the order in which they can be asked."""

    questions: tuple[Question, ...]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """All answers, question by question: what a network puts out, in its order."""
        return tuple(name for one in self.questions for name in one.columns)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Where the answers of each question stand among ``columns``."""
        starts = [0]
        for question in self.questions:
            starts.append(starts[-1] + len(question.answers))
        return tuple(map(slice, starts[:-1], starts[1:]))

    @cached_property
    def asked_after(self) -> tuple[tuple[int, ...], ...]:
        """Places among ``columns`` of the answers that lead to each question."""
        goals = [goal for one in self.questions for goal in one.leads_to]
        return tuple(
            tuple(place for place, goal in enumerate(goals) if goal == question.name)
            for question in self.questions
        )

    def to_json(self) -> dict[str, dict[str, str | None]]:
        """Spell it as in a file."""
        return {
            one.name: dict(zip(one.answers, one.leads_to, strict=True))
            for one in self.questions
        }


def tree_names() -> list[str]:
    """Name the trees that come with the package."""
    names = (file.name for file in TREES.iterdir() if file.name.endswith(SUFFIX))
    return sorted(name.removesuffix(SUFFIX) for name in names)


def read_tree(named: str) -> DecisionTree:
    """Read a tree.

    Args:
        named: a name of ``tree_names``, or the path or URI of a JSON file.

    Raises:
        ConfigError: there is no such tree, or it is none.
    """
    if named in tree_names():
        return parse_tree((TREES / f"{named}{SUFFIX}").read_bytes(), named)
    uri = storage.absolute_uri(named)
    if not storage.is_file(uri):
        raise ConfigError(
            f"--questions {named}: no such file; name a tree in JSON, or one that "
            f"comes with the package: {', '.join(tree_names())}."
        )
    return parse_tree(storage.read_bytes(uri), uri)


def parse_tree(data: bytes, source: str) -> DecisionTree:
    """Parse the content of a file; see ``make_tree``."""
    try:
        content = json.loads(data, object_pairs_hook=_without_repeats)
    except ValueError as error:  # JSON's, or that of a name that is there twice
        raise ConfigError(f"--questions {source} is no decision tree: {error}") from (
            error
        )
    return make_tree(content, source)


def make_tree(content: Any, source: str) -> DecisionTree:
    """Check questions and answers, and put them in an order that they can be asked in.

    Args:
        content: questions -> answers -> the next question or None.
        source: where it comes from, for messages.

    Raises:
        ConfigError: it is something else; a question has fewer than two answers; an
            answer leads to no question; questions lead to each other in a circle; or
            two answers would have the same column.
    """
    if not isinstance(content, Mapping) or not content:
        raise ConfigError(f"--questions {source}: an object of questions is needed.")
    questions = {
        name: _question(name, answers, content.keys(), source)
        for name, answers in content.items()
    }
    order = _in_order(questions, source)
    tree = DecisionTree(tuple(questions[name] for name in order))
    repeated = sorted({x for x in tree.columns if tree.columns.count(x) > 1})
    if repeated:
        raise ConfigError(
            f"--questions {source}: two answers would be column {shown(repeated)}; "
            "rename one of them."
        )
    return tree


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is there twice; name each of them once.")
    return found


def _question(name: str, answers: Any, known: Any, source: str) -> Question:
    if not isinstance(answers, Mapping) or len(answers) < 2:
        raise ConfigError(
            f"--questions {source}: question {name!r} needs two or more answers, each "
            f"with the next question or null; it has {json.dumps(answers)[:200]}."
        )
    for answer, goal in answers.items():
        if goal is not None and goal not in known:
            raise ConfigError(
                f"--questions {source}: answer {answer!r} of {name!r} leads to "
                f"{goal!r}, which is no question; there are {shown(list(known))}. "
                "null ends the tree."
            )
    return Question(name, tuple(answers), tuple(answers.values()))


def _in_order(questions: Mapping[str, Question], source: str) -> Iterator[str]:
    """Order questions so that each stands after those whose answers lead to it."""
    asked_after: dict[str, list[str]] = {name: [] for name in questions}
    for question in questions.values():
        for goal in question.leads_to:
            if goal is not None:
                asked_after[goal].append(question.name)
    try:
        return iter(tuple(TopologicalSorter(asked_after).static_order()))
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise ConfigError(
            f"--questions {source}: questions lead to each other in a circle, "
            f"{circle}; let one of these answers end (null)."
        ) from error
