"""The flags of every job: one frozen, self-checking dataclass per job.

The flags of the command line, their help texts and their checks are defined here; an
invalid value raises ``ConfigError`` before any work begins. This package knows neither
files nor Ray nor Keras.
"""

from galaxy_models.config.catalog import CatalogConfig
from galaxy_models.config.detect import DetectConfig
from galaxy_models.config.embed import EmbedConfig
from galaxy_models.config.evaluate import EvaluateConfig
from galaxy_models.config.hats import HatsConfig
from galaxy_models.config.label_page import LabelPageConfig
from galaxy_models.config.networks import (
    HIDDEN_UNITS,
    MIN_IMAGE_SIZE_PX,
    NETWORK_NAMES,
    NETWORKS_WITH_ALPHA,
    NETWORKS_WITH_HIDDEN_UNITS,
    NetworkName,
)
from galaxy_models.config.quickstart import QuickstartConfig
from galaxy_models.config.score import EngineName, ScoreConfig, TtaName
from galaxy_models.config.similar import SimilarConfig
from galaxy_models.config.train import TrainConfig
from galaxy_models.config.votes import VotesConfig

__all__ = [
    "HIDDEN_UNITS",
    "MIN_IMAGE_SIZE_PX",
    "NETWORKS_WITH_ALPHA",
    "NETWORKS_WITH_HIDDEN_UNITS",
    "NETWORK_NAMES",
    "CatalogConfig",
    "DetectConfig",
    "EmbedConfig",
    "EngineName",
    "EvaluateConfig",
    "HatsConfig",
    "LabelPageConfig",
    "NetworkName",
    "QuickstartConfig",
    "ScoreConfig",
    "SimilarConfig",
    "TrainConfig",
    "TtaName",
    "VotesConfig",
]
