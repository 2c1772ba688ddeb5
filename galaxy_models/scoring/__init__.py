"""Scoring: any catalog and a model folder -> a Parquet row for every galaxy."""

from galaxy_models.scoring.estimate import Estimate, estimate
from galaxy_models.scoring.pipeline import score
from galaxy_models.scoring.run_file import RunRecord

__all__ = ["Estimate", "RunRecord", "estimate", "score"]
