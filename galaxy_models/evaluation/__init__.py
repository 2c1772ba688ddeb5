"""How good predictions are: metrics against labels, figures, an HTML report.

Knows predictions and labels as tables; it knows neither networks nor training.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from galaxy_models.evaluation.pipeline import Report, evaluate

__all__ = ["Report", "evaluate"]


def __getattr__(name: str) -> Any:
    """Import the report only where it is asked for: training needs single modules."""
    if name in __all__:
        from galaxy_models.evaluation import pipeline

        return getattr(pipeline, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
