"""A made-up sky for the quickstart, tests and scale runs: no data, no network."""

from galaxy_models.simulation.frames import Frames, write_frames
from galaxy_models.simulation.galaxies import CLASSES, draw_galaxy
from galaxy_models.simulation.survey import Survey, write_survey
from galaxy_models.simulation.wide_sky import WideSky

__all__ = [
    "CLASSES",
    "Frames",
    "Survey",
    "WideSky",
    "draw_galaxy",
    "write_frames",
    "write_survey",
]
