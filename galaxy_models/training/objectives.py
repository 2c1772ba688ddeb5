"""What a head is trained to: the loss of each galaxy, and a figure that people read.

Imports TensorFlow: workers only.
"""

import math
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from galaxy_models.config import TrainConfig
from galaxy_models.models.heads import MAX_LOG_SD, Head, RegressionHead, VotesHead
from galaxy_models.tables.vote_tables.decision_tree import DecisionTree

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
SMALLEST_PROBABILITY = 1e-30  # its logarithm is still a float32


class Objective(Protocol):
    """What a network's outputs are compared with, and how."""

    target: tf.TensorSpec
    """Of what is known of some galaxies."""

    def losses(
        self, targets: Any, outputs: Any, teacher_probabilities: Any, learns: bool, /
    ) -> Any:
        """The loss of each galaxy.

        Args:
            targets: as ``target`` says.
            outputs: the network's, float32, shape (galaxies, outputs).
            teacher_probabilities: as for ``DataParallelNetwork.step``.
            learns: whether the network learns from it.

        Returns:
            float32, shape (galaxies,).
        """
        ...

    def figures(self, targets: Any, outputs: Any) -> Any:
        """What an epoch's mean is shown of: 1 for a correct class, or an error."""
        ...


class ClassObjective:
    """Cross-entropy with a class, or with a group of classes.

    Args:
        num_classes: length of the softmax.
        members: bool, shape (labels, classes): which classes each label may be, where
            some labels are groups of classes; left out, labels are classes.
        label_smoothing: share of each label that is spread over all classes, in
            learning only.
        teacher_weight: share of a galaxy's loss that is the cross-entropy with what a
            teacher says of it, in learning only; the label has the rest.

    Source:
        Szegedy et al. 2016, arXiv:1512.00567, section 7 (label smoothing); Hinton et
        al. 2015, arXiv:1503.02531 (teacher).
    """

    def __init__(
        self,
        num_classes: int,
        members: NDArray[np.bool_] | None = None,
        label_smoothing: float = 0.0,
        teacher_weight: float = 0.0,
    ) -> None:
        self.target = tf.TensorSpec((None,), tf.int32)
        self._has_groups = members is not None and len(members) > num_classes
        table = members if self._has_groups else np.eye(num_classes)
        self._members = tf.constant(table, tf.float32)
        self._label_smoothing = label_smoothing
        self._teacher_weight = teacher_weight

    def losses(
        self, targets: Any, outputs: Any, teacher_probabilities: Any, learns: bool, /
    ) -> Any:
        """Cross-entropy of each galaxy, with a teacher's share; see ``Objective``."""
        losses = self._of_labels(targets, outputs, learns)
        if learns and self._teacher_weight:
            return self._with_teacher(losses, outputs, teacher_probabilities)
        return losses

    def figures(self, targets: Any, outputs: Any) -> Any:
        """1 where the most probable class is the label, or in its group."""
        guess = tf.argmax(outputs, axis=1, output_type=tf.int32)
        return tf.gather(tf.gather(self._members, targets), guess, batch_dims=1)

    def _of_labels(self, labels: Any, predicted: Any, learns: bool) -> Any:
        """Cross-entropy of each galaxy; of a group, that of its summed probability."""
        smoothing = self._label_smoothing if learns else 0.0
        if not self._has_groups and not smoothing:
            return keras.losses.sparse_categorical_crossentropy(labels, predicted)
        members = tf.gather(self._members, labels)
        losses = -_logarithms(tf.reduce_sum(predicted * members, axis=1))
        if not smoothing:
            return losses
        spread = -tf.reduce_mean(_logarithms(predicted), axis=1)
        return (1 - smoothing) * losses + smoothing * spread

    def _with_teacher(
        self, losses: Any, predicted: Any, teacher_probabilities: Any
    ) -> Any:
        """Give the teacher's cross-entropy its share, where it knows the galaxy."""
        shares = self._teacher_weight * tf.reduce_sum(teacher_probabilities, axis=1)
        cross_entropies = -tf.reduce_sum(
            teacher_probabilities * _logarithms(predicted), axis=1
        )
        return (1 - shares) * losses + self._teacher_weight * cross_entropies


class VoteObjective:
    """Likelihood of the votes of each question under its Dirichlet-multinomial.

    Votes need not be whole. A question that nobody was asked adds nothing.

    Source:
        Walmsley et al. 2022, MNRAS 509, 3966, equations 3 to 5.
    """

    def __init__(self, tree: DecisionTree) -> None:
        self.target = tf.TensorSpec((None, len(tree.columns)), tf.float32)
        sizes = [len(question.answers) for question in tree.questions]
        to_questions = np.repeat(np.eye(len(sizes)), sizes, axis=0)
        self._to_questions = tf.constant(to_questions, tf.float32)

    def losses(
        self, targets: Any, outputs: Any, _teacher: Any, _learns: bool, /
    ) -> Any:
        """Negative log-likelihood of each galaxy's votes, in nats."""
        num_asked, sums = targets @ self._to_questions, outputs @ self._to_questions
        of_questions = (
            tf.math.lgamma(sums)
            - tf.math.lgamma(num_asked + sums)
            + tf.math.lgamma(num_asked + 1)
        )
        of_answers = (
            tf.math.lgamma(targets + outputs)
            - tf.math.lgamma(outputs)
            - tf.math.lgamma(targets + 1)
        )
        return -tf.reduce_sum(of_questions, 1) - tf.reduce_sum(of_answers, 1)

    def figures(self, targets: Any, outputs: Any) -> Any:
        """Mean difference of a galaxy's fractions, weighted by the voters asked."""
        num_asked = self._of_question(targets)
        gaps = tf.abs(
            outputs / self._of_question(outputs)
            - tf.math.divide_no_nan(targets, num_asked)
        )
        weights = tf.reduce_sum(num_asked, axis=1)
        return tf.math.divide_no_nan(tf.reduce_sum(gaps * num_asked, axis=1), weights)

    def _of_question(self, of_answers: Any) -> Any:
        """Give each answer the sum over those of its question."""
        return (of_answers @ self._to_questions) @ tf.transpose(self._to_questions)


class RegressionObjective:
    """Likelihood of measured numbers under a normal distribution each.

    Numbers are in standard units; one that is not known (NaN) adds nothing.

    Source:
        Nix & Weigend 1994, Proc. IEEE ICNN, 55.
    """

    def __init__(self, num_targets: int) -> None:
        self.target = tf.TensorSpec((None, num_targets), tf.float32)
        self._num_targets = num_targets

    def losses(
        self, targets: Any, outputs: Any, _teacher: Any, _learns: bool, /
    ) -> Any:
        """Negative log-likelihood of each galaxy's numbers, in nats."""
        gaps, is_known = self._gaps(targets, outputs)
        logs = outputs[:, self._num_targets :]
        logs = tf.clip_by_value(logs, -MAX_LOG_SD, MAX_LOG_SD)
        losses = logs + 0.5 * tf.square(gaps * tf.exp(-logs)) + HALF_LOG_TWO_PI
        return tf.reduce_sum(losses * is_known, axis=1)

    def figures(self, targets: Any, outputs: Any) -> Any:
        """Mean difference of a galaxy's numbers, in standard units."""
        gaps, is_known = self._gaps(targets, outputs)
        num_known = tf.reduce_sum(is_known, axis=1)
        return tf.math.divide_no_nan(tf.reduce_sum(tf.abs(gaps), axis=1), num_known)

    def _gaps(self, targets: Any, outputs: Any) -> tuple[Any, Any]:
        """Differences, 0 where nothing is known; and where something is."""
        is_known = tf.math.is_finite(targets)
        gaps = tf.where(is_known, targets, 0.0) - outputs[:, : self._num_targets]
        return tf.where(is_known, gaps, 0.0), tf.cast(is_known, tf.float32)


def objective_for(
    head: Head, config: TrainConfig, members: NDArray[np.bool_] | None = None
) -> Objective:
    """Choose what a head is trained to."""
    if isinstance(head, VotesHead):
        return VoteObjective(head.tree)
    if isinstance(head, RegressionHead):
        return RegressionObjective(len(head.targets))
    return ClassObjective(
        len(head.output_names),
        members,
        config.label_smoothing,
        config.teacher_weight if config.teacher else 0.0,
    )


def _logarithms(probabilities: Any) -> Any:
    return tf.math.log(tf.maximum(probabilities, SMALLEST_PROBABILITY))
