"""Galaxy morphology at survey scale: networks, training and scoring.

    import galaxy_models as gm

    gm.score(catalog="cutouts", model="galaxy-zoo", output="predictions")

``fit``, ``score``, ``evaluate``, ``detect`` and ``predict`` are those of
``galaxy_models.cli.notebook``, which is imported when one of them is asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from galaxy_models.cli.notebook import detect, evaluate, fit, predict, score

__all__ = ["detect", "evaluate", "fit", "predict", "score"]


def __getattr__(name: str) -> Any:
    """Import what a notebook calls; plain imports of a room stay quick."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.cli.notebook"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
