"""Labels coarser than a model's classes, such as elliptical for round or cigar.

A group is a label that means "one of these classes"; its probability is the sum of
theirs. Knows names only.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from galaxy_models.errors import ConfigError

LabelGroups = Mapping[str, tuple[str, ...]]
"""For each coarse label, the classes that it stands for."""


def parse_label_groups(flags: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read ``elliptical=round+in_between+cigar`` and the like.

    Args:
        flags: one text a group.

    Returns:
        The groups by label, in the order given.

    Raises:
        ConfigError: a text is not of that form, or a label or class is named twice.
    """
    groups: dict[str, tuple[str, ...]] = {}
    for text in flags:
        label, _, members = text.partition("=")
        classes = tuple(members.split("+"))
        if not label or not all(classes) or len(set(classes)) < len(classes):
            raise ConfigError(
                f"--label-groups {text}: write a label, =, and its classes joined by "
                "+, each once, such as elliptical=round+in_between+cigar."
            )
        if label in groups:
            raise ConfigError(f"--label-groups {text}: {label} is given twice.")
        groups[label] = classes
    return groups


def members(
    labels: Sequence[str], classes: Sequence[str], groups: LabelGroups
) -> NDArray[np.bool_]:
    """Tabulate which classes each label stands for.

    Args:
        labels: names, each a class or a group.
        classes: class names in a model's order.
        groups: the coarse labels.

    Returns:
        bool, shape (labels, classes); a label that is a class is that one alone.

    Raises:
        KeyError: a label is neither a class nor a group.
    """
    index = {name: place for place, name in enumerate(classes)}
    table = np.zeros((len(labels), len(classes)), bool)
    for row, label in zip(table, labels, strict=True):
        for name in groups.get(label, (label,)):
            row[index[name]] = True
    return table
