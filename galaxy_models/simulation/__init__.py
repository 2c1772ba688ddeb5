"""A made-up sky for the quickstart, tests and scale runs: no data, no network."""

from galaxy_models.simulation.galaxies import CLASSES, draw_galaxy
from galaxy_models.simulation.survey import Survey, write_survey

__all__ = ["CLASSES", "Survey", "draw_galaxy", "write_survey"]
