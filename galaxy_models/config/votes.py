"""The flags of ``jobs.votes``, their help texts and checks."""

from dataclasses import dataclass
from typing import Literal

from galaxy_models.config.checks import check_choices, check_endpoint, require

SurveyName = Literal["galaxy_zoo_1", "galaxy_zoo_2", "gz_decals", "gz_desi"]
SUFFIXES = (".csv", ".parquet")
FRACTIONS = (
    "min_smooth", "min_featured", "min_edge_on", "min_not_edge_on", "min_spiral",
    "min_roundness", "min_fraction",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class VotesConfig:
    """Turn a published table of Galaxy Zoo votes into a labelled catalog."""

    votes: str
    """Table of votes as it was published (CSV, FITS, Parquet or VOTable)."""

    output: str
    """Catalog to write, .csv or .parquet: object_id, image, label, and ra and dec in
    degrees where the table has them."""

    survey: SurveyName | Literal["auto"] = "auto"
    """Whose columns the table has; auto: found by their names."""

    image: str = "auto"
    """Path of each image, made of columns in braces, such as '{object_id}.jpg' or
    '{object_id:.4}/{object_id}.png'; auto: the former, for gz_decals the latter."""

    id_column: str = "auto"
    """Column of unique ids; auto: dr7objid or objid (Galaxy Zoo 1 and 2), iauname
    (DECaLS), dr8_id (DESI)."""

    min_smooth: float = 0.469
    """Vote fraction of smooth from which a galaxy is round, in_between or cigar."""

    min_roundness: float = 0.5
    """Vote fraction of its shape, from which it is that one."""

    min_featured: float = 0.430
    """Vote fraction of featured or disk from which a galaxy is edge_on or spiral."""

    min_edge_on: float = 0.602
    """Vote fraction of edge-on from which it is edge_on."""

    min_not_edge_on: float = 0.715
    """Vote fraction of not edge-on from which it may be spiral."""

    min_spiral: float = 0.619
    """Vote fraction of spiral arms from which it is."""

    min_fraction: float = 0.8
    """Galaxy Zoo 1: vote fraction of a class from which a galaxy is of it."""

    min_votes: int = 20
    """Votes that the question which settles the class must have had, where the table
    counts them (Galaxy Zoo 1: votes for the galaxy)."""

    s3_endpoint_url: str | None = None
    """Endpoint of s3:// URIs; default: AWS_ENDPOINT_URL if set, otherwise AWS."""

    overwrite: bool = False
    """Replace --output if it exists."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigError: naming the flag, its value and what is allowed.
        """
        check_choices(self)
        for flag in FRACTIONS:
            value = getattr(self, flag)
            require(0 < value <= 1, flag, value, "must be above 0 and at most 1")
        require(self.min_votes >= 0, "min_votes", self.min_votes, "must be 0 or more")
        require(
            self.output.lower().endswith(SUFFIXES),
            "output",
            self.output,
            "name a file that ends in .csv or .parquet",
        )
        check_endpoint(self.s3_endpoint_url)
