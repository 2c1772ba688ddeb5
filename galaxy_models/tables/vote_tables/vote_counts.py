"""Volunteers' votes of a table: counts of each answer, checked against the tree.

A table holds counts, or fractions of those asked together with the number of volunteers
that saw each galaxy. Knows columns and the tree; it knows neither pixels nor networks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galaxy_models.errors import CatalogError
from galaxy_models.tables.columns import number_column
from galaxy_models.tables.object_ids import shown
from galaxy_models.tables.vote_tables.decision_tree import DecisionTree

VOLUNTEERS = ("num_volunteers", "total_classifications", "num_classifications")
NO_VOLUNTEERS = "none"  # the flag's word for a table of counts
COUNT_SUFFIXES = ("_count", "")
FRACTION_SUFFIXES = ("_debiased", "_fraction", "")
SLACK = 0.5  # votes by which counts, weighted or rounded, may exceed their parent's
RELATIVE_SLACK = 0.01


@dataclass(frozen=True)
class VoteColumns:
    """The columns of a table that hold votes."""

    tree: DecisionTree
    answers: tuple[str, ...]
    """By answer, in the tree's order."""

    volunteers: str | None
    """Holds the number of volunteers, where ``answers`` are fractions."""

    uri: str
    """The table, for messages."""

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [*self.answers, *([self.volunteers] if self.volunteers else [])]

    def read(
        self, rows: pa.RecordBatch | pa.Table, ids: Sequence[object]
    ) -> NDArray[np.float32]:
        """Read the votes of some galaxies.

        A question of which an answer is missing, or after which nobody knows how many
        were asked, has no votes.

        Args:
            rows: with the columns ``names``.
            ids: of these galaxies, for messages.

        Returns:
            Votes of each answer, 0 or more, shape (galaxies, answers).

        Raises:
            CatalogError: a value is no number, negative or infinite; a fraction is
                above 1; a question has more votes than the answers that lead to it; or
                a galaxy has no votes at all.
        """
        values = np.column_stack([self._values(rows, name) for name in self.answers])
        self._refuse(values < 0, values, ids, "is negative")
        self._refuse(np.isinf(values), values, ids, "is infinite")
        if self.volunteers is None:
            votes = self._without_incomplete(values)
            self._check_parents(votes, ids)
        else:
            remedy = "fractions are 0 to 1; for counts give --volunteers-column none"
            self._refuse(values > 1, values, ids, f"is above 1: {remedy}")
            votes = self._counts(values, self._num_volunteers(rows, ids))
        self._check_any(votes, ids)
        return votes.astype(np.float32)

    def _values(
        self, rows: pa.RecordBatch | pa.Table, name: str
    ) -> NDArray[np.float64]:
        """Read a column; NaN where it is null."""
        return number_column(rows, name, self.uri, "name a table that holds votes")

    def _num_volunteers(
        self, rows: pa.RecordBatch | pa.Table, ids: Sequence[object]
    ) -> NDArray[np.float64]:
        assert self.volunteers is not None
        numbers = self._values(rows, self.volunteers)
        is_wrong = ~(np.isfinite(numbers) & (numbers > 0))
        if is_wrong.any():
            row = int(np.argmax(is_wrong))
            raise CatalogError(
                f"column {self.volunteers!r} of {self.uri} is {numbers[row]:g} for "
                f"galaxy {ids[row]}; a number of volunteers above 0 is needed, "
                "or leave the row out."
            )
        return numbers

    def _without_incomplete(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take the votes out of questions of which an answer is missing."""
        votes = values.copy()
        for place in self.tree.slices:
            votes[np.isnan(values[:, place]).any(axis=1), place] = 0
        return votes

    def _counts(
        self, fractions: NDArray[np.float64], num_volunteers: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Turn fractions into counts, from the first question on.

        Debiased fractions of a question seldom add up to 1; here they do.
        """
        votes = np.zeros_like(fractions)
        for place, before in zip(self.tree.slices, self.tree.asked_after, strict=True):
            num_asked = num_volunteers
            if before:
                num_asked = votes[:, list(before)].sum(axis=1)
            sums = fractions[:, place].sum(axis=1, keepdims=True)
            shares = np.divide(
                fractions[:, place],
                sums,
                where=sums > 0,  # not where a fraction is missing, either
                out=np.zeros_like(fractions[:, place]),
            )
            votes[:, place] = num_asked[:, None] * shares
        return votes

    def _check_parents(self, votes: NDArray[np.float64], ids: Sequence[object]) -> None:
        tree = self.tree
        for question, place, before in zip(
            tree.questions, tree.slices, tree.asked_after, strict=True
        ):
            if not before:
                continue
            given = votes[:, place].sum(axis=1)
            most = votes[:, list(before)].sum(axis=1)
            is_wrong = given > most * (1 + RELATIVE_SLACK) + SLACK
            if is_wrong.any():
                row = int(np.argmax(is_wrong))
                parents = [tree.columns[index] for index in before]
                raise CatalogError(
                    f"galaxy {ids[row]} of {self.uri} has {given[row]:g} votes for "
                    f"{question.name!r} and {most[row]:g} for what leads to it "
                    f"({shown(parents)}); correct the counts, or leave the row out."
                )

    def _refuse(
        self,
        is_wrong: NDArray[np.bool_],
        values: NDArray[np.float64],
        ids: Sequence[object],
        what: str,
    ) -> None:
        if is_wrong.any():
            row, answer = np.argwhere(is_wrong)[0].tolist()
            raise CatalogError(
                f"column {self.answers[answer]!r} of {self.uri}: "
                f"{values[row, answer]:g} of galaxy {ids[row]} {what}; correct it, or "
                "leave the row out."
            )

    def _check_any(self, votes: NDArray[np.float64], ids: Sequence[object]) -> None:
        is_empty = votes.sum(axis=1) == 0
        if is_empty.any():
            found = [str(ids[row]) for row in np.flatnonzero(is_empty)[:3]]
            raise CatalogError(
                f"{int(is_empty.sum())} galaxies of {self.uri} have no votes at all, "
                f"such as {shown(found)}; leave these rows out."
            )

    def check_totals(self, totals: NDArray[np.floating], most: float) -> None:
        """Refuse a table of which a question cannot be learned.

        Args:
            totals: votes of each answer, over all galaxies, shape (answers,).
            most: the largest number of votes that an answer of a galaxy has.

        Raises:
            CatalogError: nobody answered a question, or these are fractions.
        """
        for question, place in zip(self.tree.questions, self.tree.slices, strict=True):
            if not totals[place].any():
                raise CatalogError(
                    f"question {question.name!r}: nobody answered it for any galaxy of "
                    f"{self.uri}; leave it out of the tree that --questions names."
                )
        if self.volunteers is None and most <= 1:
            raise CatalogError(
                f"no answer in {self.uri} has more than one vote: are these fractions? "
                "Then name the column of the number of volunteers with "
                "--volunteers-column."
            )


def find_vote_columns(
    tree: DecisionTree, names: Iterable[str], uri: str, volunteers_column: str | None
) -> VoteColumns:
    """Find where a table holds the votes for a tree.

    Args:
        tree: the questions.
        names: the table's columns.
        uri: the table, for messages.
        volunteers_column: holds the number of volunteers of each galaxy: the answers
            are fractions; ``none``: they are counts; None: as the columns look.

    Raises:
        CatalogError: there is no such column, or an answer has none.
    """
    names = list(names)
    counted = _with_suffix(tree, names, "_count")
    if volunteers_column is None and counted is not None:
        return VoteColumns(tree, counted, None, uri)
    volunteers = _volunteers(names, uri, volunteers_column)
    suffixes = COUNT_SUFFIXES if volunteers is None else FRACTION_SUFFIXES
    for suffix in suffixes:
        answers = _with_suffix(tree, names, suffix)
        if answers is not None:
            return VoteColumns(tree, answers, volunteers, uri)
    raise _lacks_answers(tree, names, suffixes, uri)


def _with_suffix(
    tree: DecisionTree, names: Sequence[str], suffix: str
) -> tuple[str, ...] | None:
    answers = tuple(f"{name}{suffix}" for name in tree.columns)
    return answers if set(answers) <= set(names) else None


def _volunteers(names: Sequence[str], uri: str, asked: str | None) -> str | None:
    if asked == NO_VOLUNTEERS:
        return None
    if asked is None:
        return next((name for name in VOLUNTEERS if name in names), None)
    if asked not in names:
        raise CatalogError(
            f"--volunteers-column {asked}: no such column in {uri}; it has "
            f"{shown(list(names))}."
        )
    return asked


def _lacks_answers(
    tree: DecisionTree, names: Sequence[str], suffixes: Sequence[str], uri: str
) -> CatalogError:
    lacking = min(
        (
            [name for name in tree.columns if f"{name}{suffix}" not in names]
            for suffix in suffixes
        ),
        key=len,
    )
    spelled = ", ".join(f"{lacking[0]}{suffix}" for suffix in suffixes)
    return CatalogError(
        f"{uri} lacks the votes of {len(lacking)} of the {len(tree.columns)} answers "
        f"of --questions: {shown(lacking)}; each needs a column <question>_<answer> "
        f"(looked for {spelled}). It has {shown(list(names))}."
    )
