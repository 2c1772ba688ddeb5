"""Values that the flags of ``jobs.train`` may have, alone and beside each other."""

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

from galaxy_models.config.checks import check_named_once, require

if TYPE_CHECKING:
    from galaxy_models.config.train import TrainConfig

RANGES: tuple[tuple[tuple[str, ...], Callable[[float], bool], str], ...] = (
    (
        ("epochs", "batch_size", "plateau_patience", "early_stopping_patience"),
        lambda value: value >= 1,
        "must be at least 1",
    ),
    (
        ("max_restarts", "head_epochs", "hidden_units"),
        lambda value: value >= 0,
        "must be 0 or more",
    ),
    (
        ("learning_rate", "head_learning_rate", "alpha"),
        lambda value: 0 < value < inf,
        "must be above 0 and finite",
    ),
    (
        ("validation_fraction", "plateau_factor"),
        lambda value: 0 < value < 1,
        "must lie between 0 and 1",
    ),
    (
        ("shift_fraction", "zoom_fraction", "test_fraction", "label_smoothing",
         "weight_averaging", "margin_fraction", "blur_fraction", "colour_fraction"),
        lambda value: 0 <= value < 1,
        "must be 0 or more and below 1",
    ),
    (
        ("moved_fraction", "degraded_fraction"),
        lambda value: 0 <= value <= 1,
        "must lie from 0 to 1",
    ),
    (
        ("noise_levels",),
        lambda value: 0 <= value < 256,
        "must be 0 or more and below 256 grey levels",
    ),
    (("jpeg_quality",), lambda value: 1 <= value <= 100, "choose 1 to 100"),
    (
        ("teacher_weight",),
        lambda value: 0 < value <= 1,
        "must be above 0 and at most 1",
    ),
    (
        ("rotation_deg",),
        lambda value: 0 <= value <= 180,
        "must lie from 0 to 180 degrees",
    ),
    (("mantissa_bits",), lambda value: 1 <= value <= 23, "choose 1 to 23"),
)  # fmt: skip
"""Flags, what their values must fulfil, and how a refusal says so."""

CLASSES_ONLY = {
    "label_column": "label", "label_groups": (), "teacher": (), "label_smoothing": 0.0,
    "class_weight": "none",
}  # fmt: skip
"""Flags that mean nothing where there are no classes, and their defaults."""


def check_ranges(config: "TrainConfig") -> None:
    """Check every flag that has a range.

    Raises:
        ConfigError: naming the flag, its value and what is allowed.
    """
    for flags, is_allowed, remedy in RANGES:
        for flag in flags:
            value = getattr(config, flag)
            require(is_allowed(value), flag, value, remedy)


def check_answers(config: "TrainConfig") -> None:
    """Check the flags that say what is learned in place of classes.

    Raises:
        ConfigError: naming the flag, its value and what is allowed.
    """
    for flag, default in CLASSES_ONLY.items():
        value = getattr(config, flag)
        require(
            (config.questions is None and not config.target) or value == default,
            flag,
            " ".join(value) if isinstance(value, tuple) else value,
            "it is about classes; leave it out with "
            f"--{'target' if config.target else 'questions'}",
        )
    require(
        config.questions is None or not config.target,
        "target",
        " ".join(config.target),
        "a model learns these numbers or the votes of --questions; leave one out",
    )
    check_named_once("target", config.target)
    require(
        config.questions is not None or config.volunteers_column is None,
        "volunteers_column",
        config.volunteers_column,
        "it is about votes; name their decision tree with --questions",
    )


def check_start(config: "TrainConfig") -> None:
    """Check the flags that say which models training starts from.

    Raises:
        ConfigError: naming the flag, its value and what is allowed.
    """
    require(
        config.start_from is not None or not config.average_with,
        "average_with",
        " ".join(config.average_with),
        "there is nothing to average with; name one of the models with --start-from",
    )
    models = (config.start_from, *config.average_with)
    require(
        len(set(models)) == len(models),
        "average_with",
        " ".join(config.average_with),
        "a model counts twice, with that of --start-from; name each once",
    )
