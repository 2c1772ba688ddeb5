"""Training: a labelled catalog -> a model folder, over the workers that are there."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from galaxy_models.training.pipeline import fit

__all__ = ["fit"]


def __getattr__(name: str) -> Any:
    """Import the driver only where it is asked for: each worker imports this room."""
    if name in __all__:
        from galaxy_models.training import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
