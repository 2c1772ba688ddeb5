"""The flags of ``jobs.hats``, their help texts and checks."""

from dataclasses import dataclass

from galaxy_models.config.checks import check_endpoint, require


@dataclass(frozen=True, kw_only=True)
class HatsConfig:
    """Write predictions anew as a HATS catalog, partitioned by position on the sky."""

    predictions: str
    """Folder that jobs.score wrote with --keep ra dec, or a Parquet file or pattern of
    such rows."""

    output: str
    """Folder for the HATS catalog; must not exist, be empty, or contain an unfinished
    catalog of the same predictions and flags."""

    ra_column: str = "ra"
    """Column of right ascensions (deg, ICRS), modulo 360; if left out, other usual
    names are found too."""

    dec_column: str = "dec"
    """Column of declinations (deg, ICRS); if left out, other usual names are found
    too."""

    rows_per_partition: int = 1_000_000
    """Galaxies per partition, at most (but for one pixel of 14 arcmin that has more);
    memory holds a few times as many rows."""

    s3_endpoint_url: str | None = None
    """Endpoint of s3:// URIs; default: AWS_ENDPOINT_URL if set, otherwise AWS."""

    overwrite: bool = False
    """Start again, whatever HATS catalog of this job is in --output."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigError: naming the flag, its value and what is allowed.
        """
        require(
            self.rows_per_partition >= 1,
            "rows_per_partition",
            self.rows_per_partition,
            "must be at least 1",
        )
        check_endpoint(self.s3_endpoint_url)
