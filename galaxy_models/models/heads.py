"""Heads: what a network's last layer says of a galaxy, and what its numbers mean.

    ClassesHead      one of several classes: a softmax
    VotesHead        what volunteers would answer: Dirichlet concentrations
    RegressionHead   measured numbers: a mean and a standard deviation each

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

HeadKind = Literal["classes", "votes", "regression"]
HIDDEN_NAME = "head_dense"  # the dense layer before it, of the MobileNets
HEAD_NAME = "logits"  # the last layer with weights, of every network
MAX_LOG_SD = 7.0  # of a standard deviation in standard units, either way
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


@dataclass(frozen=True)
class Target:
    """A measured number that a network predicts."""

    name: str
    """Of the catalog's column."""

    center: float
    """Mean of the training galaxies, in the column's unit."""

    scale: float
    """Their standard deviation, in the same unit; above 0."""

    unit: str = ""
    ucd: str = ""


@dataclass(frozen=True)
class RegressionHead:
    """Measured numbers, each with a normal distribution.

    The network's outputs are in standard units: all means, less ``center`` and over
    ``scale``; then the logarithms of all standard deviations.
    """

    targets: tuple[Target, ...]
    kind: Literal["regression"] = "regression"

    @property
    def output_names(self) -> tuple[str, ...]:
        """Columns of the outputs."""
        names = [target.name for target in self.targets]
        return (
            *(f"{name}_standard_mean" for name in names),
            *(f"{name}_standard_log_sd" for name in names),
        )

    def calibrated(self, outputs: Outputs, temperature: float) -> Outputs:
        """Give means and standard deviations in the targets' units.

        Returns:
            Shape (galaxies, outputs): all means, then all standard deviations, which
            are multiplied by the temperature.
        """
        num = len(self.targets)
        centers = np.asarray([target.center for target in self.targets], np.float32)
        scales = np.asarray([target.scale for target in self.targets], np.float32)
        logs = np.clip(outputs[:, num:], -MAX_LOG_SD, MAX_LOG_SD)
        deviations = np.exp(logs) * scales * np.float32(temperature)
        means = outputs[:, :num] * scales + centers
        return np.concatenate([means, deviations], axis=1)

    def agreement(self, found: Outputs, expected: Outputs) -> float:
        """1 less the mean difference of a mean, in standard units; at least 0."""
        num = len(self.targets)
        gap = float(np.abs(found[:, :num] - expected[:, :num]).mean())
        return max(0.0, 1 - gap)
