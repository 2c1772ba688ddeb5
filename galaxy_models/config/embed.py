"""The flags of ``jobs.embed``, their help texts and checks."""

from dataclasses import dataclass

from galaxy_models.config.catalog import CatalogConfig
from galaxy_models.config.checks import check_endpoint, check_image_prefixes


@dataclass(frozen=True, kw_only=True)
class EmbedConfig(CatalogConfig):
    """Add an embedding to a copy of a model folder that was trained without one."""

    model: str
    """Model folder of jobs.train, or a model that comes with the package:
    galaxy-zoo, or galaxy-zoo-small, which is faster and less accurate."""

    output: str
    """Folder for the copy; must not exist, be empty, or, with --overwrite, contain such
    a copy."""

    overwrite: bool = False
    """Replace whatever copy is in --output."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigError: naming the flag, its value and what is allowed.
        """
        check_image_prefixes(self.allow_image_prefix)
        check_endpoint(self.s3_endpoint_url)
