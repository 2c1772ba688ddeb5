"""What predictions are worth: metrics against labels, figures, a page to look at.

Knows predictions and labels as tables; it knows neither networks nor training.
"""

from galaxy_models.evaluation.pipeline import Report, evaluate

__all__ = ["Report", "evaluate"]
