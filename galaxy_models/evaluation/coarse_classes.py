"""The classes of an evaluation: the model's, or coarser ones.

Where labels are coarser than a model's classes, both are compared at the coarser
level. This module knows names and sums; it knows neither tables nor metrics.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galaxy_models.config.label_groups import LabelGroups
from galaxy_models.errors import ConfigError

JOINED_BY = " / "  # the labels of one coarse class that has no other name


@dataclass(frozen=True)
class CoarseClasses:
    """Classes that the model's classes are part of, each of exactly one."""

    names: tuple[str, ...]
    """In the order of their first model class."""

    membership: NDArray[np.float32]
    """Shape (model classes, coarse classes), 1 where one is part of the other."""

    of_label: Mapping[str, int]
    """Index of the coarse class of every label: groups and model classes."""

    def sums(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Add up the probabilities of each coarse class.

        Args:
            probabilities: float32, shape (galaxies, model classes).

        Returns:
            float32, shape (galaxies, coarse classes); a row with a NaN is NaN.
        """
        return np.asarray(np.minimum(probabilities @ self.membership, 1), np.float32)

    def any_of(self, members: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Say which coarse classes have a part among some of the model's classes.

        Args:
            members: bool, shape (galaxies, model classes).

        Returns:
            bool, shape (galaxies, coarse classes).
        """
        return np.asarray(members @ self.membership.astype(bool))


def coarse_classes(classes: Sequence[str], groups: LabelGroups) -> CoarseClasses:
    """Apply groups of labels to a model's classes.

    A class of no group stays as it is. A group takes the place of its classes: it is
    called by its label, and their own names lead to it as well. Groups of the very same
    classes (winding spirals, to a model that knows no winding) are one coarse class,
    called by its only model class, or else by all their labels joined.

    Args:
        classes: the model's class names, in its order.
        groups: for each coarse label the model's classes that it may be.

    Raises:
        ConfigError: a group names a class that there is not; groups share some of their
            classes only; or a group has the name of a class outside of it.
    """
    _check_groups(classes, groups)
    group_of = {name: members for members in groups.values() for name in members}
    names: list[str] = []
    of_label: dict[str, int] = {}
    membership = np.zeros((len(classes), len(classes)), np.float32)
    for row, name in enumerate(classes):
        if name not in of_label:
            members = group_of.get(name, (name,))
            labels = [
                label for label, some in groups.items() if set(some) == set(members)
            ]
            of_label |= dict.fromkeys((*members, *labels), len(names))
            names.append(_name(labels, members))
        membership[row, of_label[name]] = 1
    return CoarseClasses(tuple(names), membership[:, : len(names)], of_label)


def _name(labels: Sequence[str], members: Sequence[str]) -> str:
    if len(labels) == 1:
        return labels[0]
    return members[0] if len(members) == 1 else JOINED_BY.join(labels)


def _check_groups(classes: Sequence[str], groups: LabelGroups) -> None:
    for label, members in groups.items():
        shown = f"--label-groups {label}={'+'.join(members)}"
        unknown = [name for name in members if name not in classes]
        if unknown:
            raise ConfigError(
                f"{shown}: the predictions have no class {', '.join(unknown)}; "
                f"theirs are {', '.join(classes)}."
            )
        if label in classes and label not in members:
            raise ConfigError(
                f"{shown}: {label} is a class of the predictions itself; add it to its "
                "group, or give the group another name."
            )
        for other, others in groups.items():
            shared = set(members) & set(others)
            if shared and set(members) != set(others):
                raise ConfigError(
                    f"{shown}: {other} has {', '.join(sorted(shared))} too, but not "
                    "the same classes; give both the same, or no class in common."
                )
