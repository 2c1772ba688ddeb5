"""Training: a labelled catalog -> a model folder, over the workers that are there."""

from galaxy_models.training.fit import fit

__all__ = ["fit"]
