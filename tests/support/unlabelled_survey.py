"""A small survey to score, some of its images broken; and how tests score it."""

from pathlib import Path
from typing import Any

from galaxy_models.config import ScoreConfig
from galaxy_models.simulation import Survey, write_survey

NUM_UNLABELLED = 90
NUM_BROKEN = 8


def write_unlabelled(folder: Path) -> Survey:
    """90 unlabelled galaxies, 8 of them broken in the four ways of real surveys."""
    return write_survey(
        folder,
        NUM_UNLABELLED,
        image_size=48,
        seed=5,
        broken_fraction=NUM_BROKEN / NUM_UNLABELLED,
        labelled=False,
        catalog_name="catalog.parquet",
    )


def config_for(
    survey: Survey, model_folder: str, output: Path, **changes: Any
) -> ScoreConfig:
    """Scores the survey in floats, which can be compared with Keras'."""
    settings = {"catalog": str(survey.catalog), "engine": "litert-float", **changes}
    return ScoreConfig(model=model_folder, output=str(output), **settings)
