"""The flags of ``jobs.quickstart``, their help texts and checks."""

from dataclasses import dataclass

from galaxy_models.config.checks import check_seed, require


@dataclass(frozen=True, kw_only=True)
class QuickstartConfig:
    """Make up a survey, train on it, score it and show the result."""

    output: str = "quickstart"
    """Folder for all results; must not exist."""

    detect: bool = False
    """Instead of training and scoring: find the galaxies of made-up wide frames."""

    num_labelled: int = 800
    """Labelled galaxies to train on."""

    num_catalog: int = 300
    """Galaxies to score, some with broken images."""

    epochs: int = 8
    """Passes over the labelled galaxies."""

    seed: int = 0
    """Seed of the made-up sky and of the training."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigError: naming the flag, its value and what is allowed.
        """
        for flag in ("num_labelled", "num_catalog"):
            value = getattr(self, flag)
            require(value >= 50, flag, value, "must be at least 50")
        require(self.epochs >= 1, "epochs", self.epochs, "must be at least 1")
        check_seed(self.seed)
