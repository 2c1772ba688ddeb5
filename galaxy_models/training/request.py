"""What a training was asked for, checked: catalog, labels, and models to learn from.

Reads tables and model cards; starts neither Ray nor TensorFlow.
"""

import dataclasses
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from galaxy_models import storage
from galaxy_models.cluster import shared_paths
from galaxy_models.config import TrainConfig
from galaxy_models.models.heads import ClassesHead
from galaxy_models.storage import output_folder
from galaxy_models.tables.catalog import Catalog, open_catalog
from galaxy_models.training.distillation import Teacher, read_teacher
from galaxy_models.training.fine_tuning import StartingPoint, find_starting_point
from galaxy_models.training.truth import Truth, needed_columns, read_truth

logger = logging.getLogger(__name__)

LABELS_KEY = "the hash of the labels"  # in the resume key
AVERAGED_KEY = "the hashes of the models averaged with it"
FREE_TO_CHANGE = (
    "output",
    "s3_endpoint_url",
    "epochs",
    "plan",
    "num_workers",
    "max_restarts",
    "resume",
    "overwrite",
)
"""Flags that may differ when an unfinished training is resumed."""


@dataclass(frozen=True)
class Request:
    """One training, as it was asked for."""

    config: TrainConfig
    output: str
    """URI of the model folder, absolute."""

    resume: bool
    """Whether an unfinished training there is resumed."""

    catalog: Catalog
    truth: Truth
    """What is known of its galaxies: labels, or votes."""

    start: StartingPoint | None
    teacher: Teacher | None

    def resume_key(self) -> dict[str, Any]:
        """Inputs that determine the weights, except for the number of epochs.

        A cosine schedule runs to the last epoch, so that number is among them there.
        """
        start, teacher = self.start, self.teacher
        flags = {
            _flag(name): value
            for name, value in dataclasses.asdict(self.config).items()
            if name not in FREE_TO_CHANGE
            or (name == "epochs" and self.config.schedule == "cosine")
        }
        return {
            **flags,
            "the set of ids": self.catalog.fingerprint,
            **{
                f"{side} galaxies by label": dict(sorted(counts.items()))
                for side, counts in self.truth.counts.items()
            },
            **self._truth_key(),
            "the hash of the model to start from": start and start.hashes[0],
            **self._averaged_key(),
            "the hash of what the teacher says": teacher and teacher.digest,
        }

    def _averaged_key(self) -> dict[str, Any]:
        """What earlier versions did not have: models that are averaged with it."""
        averaged = self.start.hashes[1:] if self.start else []
        return {AVERAGED_KEY: averaged} if averaged else {}

    def _truth_key(self) -> dict[str, Any]:
        kind = self.truth.head.kind
        name = LABELS_KEY if kind == "classes" else f"the {kind}"
        return {name: self.truth.digest} if self.truth.digest else {}


def without_later_flags(
    resume_key: Mapping[str, Any], older: Mapping[str, Any]
) -> dict[str, Any]:
    """Leave out what an earlier version did not write: labels, and unset flags.

    Args:
        resume_key: of this version.
        older: the key that an unfinished training wrote, perhaps of an earlier version.
    """
    defaults = {
        _flag(field.name): field.default for field in dataclasses.fields(TrainConfig)
    }
    return {
        name: value
        for name, value in resume_key.items()
        if name in older
        or (name != LABELS_KEY and (name not in defaults or value != defaults[name]))
    }


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def open_request(config: TrainConfig, output: str, resume: bool) -> Request:
    """Check catalog, labels, and the models to start from and to learn from.

    Args:
        config: the flags of ``jobs.train``.
        output: URI of the model folder, absolute.
        resume: whether an unfinished training there is resumed.

    Raises:
        InputError: one of them cannot be used.
    """
    columns, votes = needed_columns(config)
    catalog = open_catalog(
        config,
        storage.join(output, output_folder.STAGING_NAME),
        columns=columns,
        check_files=shared_paths.check_inputs,
        rule=config.decode_rule,
    )
    truth = read_truth(catalog, config, votes)
    logger.info("%s", "; ".join(f"{s}: {_listed(n)}" for s, n in truth.counts.items()))
    head = truth.head
    start = find_starting_point(config, head)
    classes = head.classes if isinstance(head, ClassesHead) else ()
    teacher = read_teacher(config, catalog, classes)
    return Request(config, output, resume, catalog, truth, start, teacher)


def _listed(counts: Counter[str]) -> str:
    classes = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    return f"{counts.total()} galaxies ({classes})"
