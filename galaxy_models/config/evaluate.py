"""The flags of ``jobs.evaluate``, their help texts and checks."""

from dataclasses import dataclass

from galaxy_models.config.checks import check_endpoint, check_image_prefixes, require
from galaxy_models.config.label_groups import parse_label_groups

MAX_BINS = 1000
MAX_GALLERY_SIZE = 200  # about 5 kB of the page a cutout


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """Compare predictions with labels, or describe them; write a report."""

    predictions: str
    """Folder that jobs.score wrote, or a Parquet file or pattern of such rows."""

    output: str
    """Folder for report.html, metrics.json and figures; must not exist, be empty, or,
    with --overwrite, contain a report."""

    labels: str | None = None
    """Table with ids and labels, in any catalog format; without it the report describes
    the predictions alone."""

    id_column: str = "object_id"
    """Column of ids in --labels and --catalog; if left out, other usual names are found
    too."""

    label_column: str = "label"
    """Column of class names in --labels; if left out, other usual names are found
    too."""

    volunteers_column: str | None = None
    """Predicted votes: column of the number of volunteers of each galaxy, where the
    answers' columns in --labels hold fractions; if left out, num_volunteers and other
    usual names are found; none: they hold counts."""

    label_groups: tuple[str, ...] = ()
    """Labels coarser than the model's classes, such as
    elliptical=round+in_between+cigar; probabilities are added up and everything is
    evaluated at that level."""

    exclude_label: tuple[str, ...] = ()
    """Labels to leave out, such as merger or uncertain."""

    catalog: str | None = None
    """Catalog that names the images for the galleries; default: --labels, if it names
    images."""

    image_root: str | None = None
    """Folder that relative image paths start from; default: the table's folder."""

    image_column: str = "image"
    """Column of image URIs, paths relative to --image-root, or image bytes; if left
    out, other usual names are found too."""

    s3_endpoint_url: str | None = None
    """Endpoint of s3:// URIs; default: AWS_ENDPOINT_URL if set, otherwise AWS."""

    allow_image_prefix: tuple[str, ...] = ()
    """With --image-root: further folders (absolute paths or s3:// URIs) whose images
    may be named. Without both flags any full path may be named."""

    num_bins: int = 15
    """Equal-width confidence bins of the calibration."""

    gallery_size: int = 24
    """Galaxies per gallery, and failed rows listed."""

    overwrite: bool = False
    """Replace whatever report is in --output."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigError: naming the flag, its value and what is allowed.
        """
        parse_label_groups(self.label_groups)
        check_image_prefixes(self.allow_image_prefix)
        check_endpoint(self.s3_endpoint_url)
        require(
            2 <= self.num_bins <= MAX_BINS,
            "num_bins",
            self.num_bins,
            f"must lie from 2 to {MAX_BINS}",
        )
        require(
            0 <= self.gallery_size <= MAX_GALLERY_SIZE,
            "gallery_size",
            self.gallery_size,
            f"must lie from 0 to {MAX_GALLERY_SIZE}",
        )
        require(
            not self.exclude_label or self.labels is not None,
            "exclude_label",
            " ".join(self.exclude_label),
            "there are no labels to leave out; name them with --labels",
        )
