"""Heads: what a network's last layer says of a galaxy, and what its numbers mean.

    ClassesHead      one of several classes: a softmax
    VotesHead        what volunteers would answer: Dirichlet concentrations

A model has one head. The network in front of it, decoding, engines, exactly-once
scoring and joining by id are the same for all. What depends on the head has one place
in each room, chosen by ``kind``: the last activations in ``networks``, the loss in
``training.objectives``, the columns in ``scoring.answers``.

Knows arrays only; it knows neither networks nor files.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from galaxy_models.models import dirichlet
from galaxy_models.models.calibration import with_temperature
from galaxy_models.tables.prediction_schema import (
    concentration_column,
    probability_column,
)
from galaxy_models.tables.vote_tables.decision_tree import DecisionTree

HeadKind = Literal["classes", "votes"]
HEAD_NAME = "logits"  # the last layer with weights, of every network
Outputs = NDArray[np.float32]
"""What a network puts out, shape (galaxies, outputs)."""


class Head(Protocol):
    """What all heads can say."""

    @property
    def kind(self) -> HeadKind:
        """Which of them it is."""
        ...

    @property
    def output_names(self) -> tuple[str, ...]:
        """What each output of the network is called in tables, in its order."""
        ...

    def calibrated(self, outputs: Outputs, temperature: float) -> Outputs:
        """Correct a network's overconfidence.

        Args:
            outputs: the network's own, shape (galaxies, outputs).
            temperature: the card's; above 1 for a network that is too sure.
        """
        ...

    def agreement(self, found: Outputs, expected: Outputs) -> float:
        """How far two engines say the same, 0 to 1.

        Args:
            found: what one says, shape (galaxies, outputs).
            expected: what the trained network says, of the same shape.
        """
        ...


@dataclass(frozen=True)
class ClassesHead:
    """One of several classes."""

    classes: tuple[str, ...]
    kind: Literal["classes"] = "classes"

    @property
    def output_names(self) -> tuple[str, ...]:
        """Columns of the probabilities."""
        return tuple(map(probability_column, self.classes))

    def calibrated(self, outputs: Outputs, temperature: float) -> Outputs:
        """Divide the logits by the temperature; see ``calibration``."""
        return with_temperature(outputs, temperature)

    def agreement(self, found: Outputs, expected: Outputs) -> float:
        """Share of galaxies that are given the same class."""
        return float(np.mean(found.argmax(axis=1) == expected.argmax(axis=1)))


@dataclass(frozen=True)
class VotesHead:
    """What volunteers would answer along a decision tree."""

    tree: DecisionTree
    kind: Literal["votes"] = "votes"

    @property
    def output_names(self) -> tuple[str, ...]:
        """Columns of the concentrations."""
        return tuple(map(concentration_column, self.tree.columns))

    def calibrated(self, outputs: Outputs, temperature: float) -> Outputs:
        """Divide the concentrations; expected fractions stay."""
        return outputs if temperature == 1 else outputs / np.float32(temperature)

    def agreement(self, found: Outputs, expected: Outputs) -> float:
        """1 less the mean difference of a fraction, by the share that is asked."""
        fractions = dirichlet.expected_fractions(expected, self.tree)
        asked = dirichlet.asked_fractions(fractions, self.tree)
        gaps = np.abs(dirichlet.expected_fractions(found, self.tree) - fractions)
        weights = dirichlet.per_answer(asked, self.tree)
        return float(1 - (gaps * weights).sum() / weights.sum())
