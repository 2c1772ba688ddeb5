"""The flags of ``jobs.similar``, their help texts and checks."""

from dataclasses import dataclass

from galaxy_models.config.catalog import CatalogConfig
from galaxy_models.config.checks import check_endpoint, check_image_prefixes, require
from galaxy_models.errors import ConfigError

MAX_SHOWN = 1000  # about 5 kB of the page a cutout


@dataclass(frozen=True, kw_only=True)
class SimilarConfig(CatalogConfig):
    """Find galaxies that look like given ones, or like no others."""

    predictions: str
    """Predictions of jobs.score with --embedding."""

    output: str
    """Folder for the tables and the page; must not exist, be empty, or, with
    --overwrite, contain such tables."""

    like: tuple[str, ...] = ()
    """Ids of galaxies; the nearest to each are found."""

    neighbours: int = 24
    """Galaxies to find for each of --like."""

    anomalies: int = 0
    """Number of the oddest galaxies to find: those farthest from all others."""

    overwrite: bool = False
    """Replace whatever tables are in --output."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigError: naming the flag, its value and what is allowed.
        """
        check_image_prefixes(self.allow_image_prefix)
        check_endpoint(self.s3_endpoint_url)
        for flag, least in (("neighbours", 1), ("anomalies", 0)):
            value = getattr(self, flag)
            remedy = f"must lie from {least} to {MAX_SHOWN}"
            require(least <= value <= MAX_SHOWN, flag, value, remedy)
        if not (self.like or self.anomalies):
            raise ConfigError(
                "give --like with the ids of galaxies, or --anomalies with a number."
            )
        shown = len(self.like) * (self.neighbours + 1) + self.anomalies
        require(
            shown <= MAX_SHOWN,
            "like",
            " ".join(self.like),
            f"the page would show {shown} galaxies, more than {MAX_SHOWN}; ask for "
            "fewer --neighbours of each",
        )
