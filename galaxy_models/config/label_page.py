"""The flags of ``jobs.label_page``, their help texts and checks."""

from dataclasses import dataclass

from galaxy_models.config.catalog import CatalogConfig
from galaxy_models.config.checks import check_endpoint, check_image_prefixes, require

MAX_GALAXIES = 2000  # about 5 kB of the page a cutout
MAX_KEYS = 9  # of the keyboard: 1 to 9


@dataclass(frozen=True, kw_only=True)
class LabelPageConfig(CatalogConfig):
    """Make a page on which a person labels the galaxies that would teach most."""

    predictions: str
    """Predictions of jobs.score with --embedding."""

    output: str
    """Folder for label.html; must not exist, be empty, or, with --overwrite, contain
    such a page."""

    num_galaxies: int = 200
    """Galaxies on the page."""

    classes: tuple[str, ...] = ()
    """Classes for the keys 1 to 9, in this order; default: the model's."""

    labels: str | None = None
    """Table of galaxies that are labelled already, in any catalog format, such as
    labels.csv of an earlier page: they are left out."""

    overwrite: bool = False
    """Replace whatever page is in --output."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigError: naming the flag, its value and what is allowed.
        """
        check_image_prefixes(self.allow_image_prefix)
        check_endpoint(self.s3_endpoint_url)
        require(
            1 <= self.num_galaxies <= MAX_GALAXIES,
            "num_galaxies",
            self.num_galaxies,
            f"must lie from 1 to {MAX_GALAXIES}",
        )
        require(
            len(set(self.classes)) == len(self.classes) <= MAX_KEYS,
            "classes",
            " ".join(self.classes),
            f"name at most {MAX_KEYS} different classes",
        )
