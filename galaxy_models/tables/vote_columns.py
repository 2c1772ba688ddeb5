"""Columns of predicted votes: written so that a table of them holds its own tree.

Each column of fractions says in its metadata which question and answer it is of, and
where that answer leads. This module knows columns only; it neither reads nor writes.
"""

from collections.abc import Iterator

import pyarrow as pa

from galaxy_models.tables.prediction_schema import (
    ANSWER,
    LEADS_TO,
    QUESTION,
    asked_column,
    concentration_column,
    described_field,
    fraction_column,
)
from galaxy_models.tables.vote_tables.decision_tree import DecisionTree, make_tree


def vote_fields(tree: DecisionTree, *, posterior: bool) -> list[pa.Field]:
    """Lay out what is predicted of a galaxy's votes.

    Args:
        tree: the questions.
        posterior: whether there are concentrations.

    Returns:
        By question: the fraction of each answer, then the share of volunteers who come
        to it; concentrations last, in the tree's order; all float32.
    """
    fields = []
    for question in tree.questions:
        answers = zip(question.answers, question.leads_to, strict=True)
        for column, (answer, goal) in zip(question.columns, answers, strict=True):
            field = described_field(
                fraction_column(column), pa.float32(), "<question>_<answer>_fraction"
            )
            place = {QUESTION: question.name, ANSWER: answer, LEADS_TO: goal or ""}
            fields.append(field.with_metadata({**field.metadata, **place}))
        fields.append(
            described_field(
                asked_column(question.name),
                pa.float32(),
                asked_column("<question>"),
            )
        )
    if posterior:
        fields += [
            described_field(
                concentration_column(column),
                pa.float32(),
                concentration_column("<question>_<answer>"),
            )
            for column in tree.columns
        ]
    return fields


def tree_of(predictions: pa.Schema, source: str) -> DecisionTree | None:
    """Read the decision tree out of a table's columns.

    Args:
        predictions: the table's.
        source: where it lies, for messages.

    Returns:
        None if it has no columns of fractions that ``vote_fields`` made.

    Raises:
        ConfigError: what its columns say is no tree.
    """
    questions: dict[str, dict[str, str | None]] = {}
    for question, answer, goal in _answers(predictions):
        questions.setdefault(question, {})[answer] = goal or None
    return make_tree(questions, source) if questions else None


def _answers(predictions: pa.Schema) -> Iterator[tuple[str, str, str]]:
    for field in predictions:
        known = field.metadata or {}
        if {QUESTION, ANSWER, LEADS_TO} <= known.keys():
            yield (
                known[QUESTION].decode(),
                known[ANSWER].decode(),
                known[LEADS_TO].decode(),
            )
