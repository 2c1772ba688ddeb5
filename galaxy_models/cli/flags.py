"""What each flag is called, means and defaults to; under which theme it stands.

The text under a configuration's field is the flag's help; it is read from the source.
"""

import ast
import dataclasses
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

THEMES = {
    "Input and output": (
        "catalog", "images", "votes", "survey", "predictions", "detections", "truth",
        "model", "labels",
        "output", "stamps", "regions", "overlay", "hats", "previous", "retry",
        "removed_rows", "keep", "resume", "overwrite", "estimate",
    ),
    "Columns and labels": (
        "id_column", "image_column", "label_column", "target", "questions",
        "volunteers_column",
        "label_groups", "exclude_label",
        "ra_column", "dec_column",
    ),
    "Images": (
        "image", "image_root", "allow_image_prefix", "s3_endpoint_url", "image_size",
        "crop_fraction", "fits_bands", "fits_stretch", "fits_q", "wcs", "tile_size",
    ),
    "Clean sample": (
        "min_smooth", "min_roundness", "min_featured", "min_edge_on",
        "min_not_edge_on", "min_spiral", "min_fraction", "min_votes",
    ),
    "Split": ("validation_fraction", "test_fraction"),
    "Network": ("network", "alpha", "hidden_units", "precision", "mantissa_bits"),
    "Fine-tuning": (
        "start_from", "average_with", "head_epochs", "head_learning_rate",
    ),
    "Knowledge distillation": ("teacher", "teacher_weight"),
    "Optimisation": (
        "epochs", "learning_rate", "schedule", "plateau_patience", "plateau_factor",
        "early_stopping_patience", "restore_best_weights", "label_smoothing",
        "weight_averaging", "class_weight", "undo_class_weight",
    ),
    "Augmentation": (
        "moved_fraction", "rotation_deg", "shift_fraction", "zoom_fraction",
        "margin_fraction", "horizontal_flip", "vertical_flip", "degraded_fraction",
        "blur_fraction", "noise_levels", "colour_fraction", "jpeg_quality",
    ),
    "Prediction": (
        "tta", "plausible_classes", "posterior", "embedding", "familiarity", "engine",
        "device",
    ),
    "Workers and batches": (
        "plan", "num_workers", "batch_size", "sync_batch_norm", "max_restarts",
        "rows_per_chunk", "rows_per_file", "tiles_per_file", "max_failed_fraction",
        "progress_interval_s",
    ),
    "Partitions": ("rows_per_partition",),
    "Search": ("like", "neighbours", "anomalies", "num_galaxies", "classes"),
    "Report": (
        "num_bins", "gallery_size", "partial_truth", "match_radius", "min_score",
    ),
    "Made-up sky": ("detect", "num_labelled", "num_catalog"),
    "Repeatability": ("seed",),
}  # fmt: skip
"""In which table each flag stands, for all jobs."""


@dataclass(frozen=True)
class Flag:
    """A flag as people see it."""

    name: str
    """With its two hyphens."""

    default: str
    meaning: str
    choices: tuple[str, ...]
    """Words that it takes; empty where it takes others."""


def flags_by_theme(config: type) -> dict[str, list[Flag]]:
    """List a configuration's flags.

    Raises:
        KeyError: one has no theme.
    """
    fields = {field.name: field for field in dataclasses.fields(config)}
    homeless = fields.keys() - {name for names in THEMES.values() for name in names}
    if homeless:
        raise KeyError(f"put {', '.join(sorted(homeless))} under one of THEMES")
    texts = dict(_field_docstrings(config))
    themes = {
        theme: [_flag(fields[name], texts[name]) for name in names if name in fields]
        for theme, names in THEMES.items()
    }
    return {theme: flags for theme, flags in themes.items() if flags}


def _field_docstrings(config: type) -> Iterator[tuple[str, str]]:
    """The text under each field, base classes first."""
    for owner in reversed(config.__mro__[:-1]):
        (tree,) = ast.parse(inspect.getsource(owner)).body
        assert isinstance(tree, ast.ClassDef)
        for field, text in zip(tree.body, tree.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                name = ast.unparse(field.target)
                yield name, " ".join(ast.literal_eval(text.value).split())


def _flag(field: dataclasses.Field[Any], meaning: str) -> Flag:
    name = f"--{field.name.replace('_', '-')}"
    return Flag(name, _default(field), meaning, _choices(field))


def _choices(field: dataclasses.Field[Any]) -> tuple[str, ...]:
    choices = sorted(_words(field.type), key=lambda choice: choice != "auto")
    return tuple(choices) if len(choices) > 1 else ()


def _words(kind: Any) -> list[str]:
    """Words that a type lists, or several types of a union or a tuple."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return [word for part in get_args(kind) for word in _words(part)]


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "required"
    if field.default in (None, ()):
        return "none"
    if isinstance(field.default, bool):
        return "yes" if field.default else "no"
    if isinstance(field.default, tuple):
        return " ".join(field.default)
    return str(field.default)
