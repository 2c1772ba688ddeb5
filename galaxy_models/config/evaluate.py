"""What ``jobs.evaluate`` can be told."""

from dataclasses import dataclass

from galaxy_models.config.checks import check_endpoint, check_image_prefixes, require
from galaxy_models.config.label_groups import parse_label_groups

MAX_BINS = 1000
MAX_GALLERY_SIZE = 200  # about 5 kB of the page a cutout


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """Compare predictions with labels, or describe them; write a report."""

    predictions: str
    """Folder that jobs.score wrote; or a Parquet file, or a pattern, of such rows."""

    output: str
    """Folder for report.html, metrics.json and figures; must not exist, be empty, or,
    with --overwrite, hold a report."""

    labels: str | None = None
    """Table with ids and labels, of any kind that --catalog may be; without it the
    report describes predictions that nobody has labelled."""

    id_column: str = "object_id"
    """Column of ids in --labels and --catalog; if left out, the usual other names are
    found too."""

    label_column: str = "label"
    """Column of class names in --labels; if left out, the usual other names are found
    too."""

    label_groups: tuple[str, ...] = ()
    """Labels coarser than the model's classes, each with the classes that it may be:
    elliptical=round+in_between+cigar. Their probabilities are added up, and everything
    is evaluated at that level."""

    exclude_label: tuple[str, ...] = ()
    """Labels to leave out, such as merger or uncertain."""

    catalog: str | None = None
    """Catalog that names the images of the report's galleries; if left out, --labels is
    used where it names images."""

    image_root: str | None = None
    """Folder that relative image paths start from; the table's own folder if left
    out."""

    image_column: str = "image"
    """Column of image URIs, of paths relative to --image-root, or of images' bytes; if
    left out, the usual other names are found too."""

    s3_endpoint_url: str | None = None
    """Object store that s3:// leads to; AWS_ENDPOINT_URL, or AWS, if left out."""

    allow_image_prefix: tuple[str, ...] = ()
    """Further folders (absolute paths or s3:// URIs) whose images may be named, where
    --image-root is given; without both any may be named by its full path."""

    num_bins: int = 15
    """Bins of confidence, of equal width, for the calibration."""

    gallery_size: int = 24
    """Galaxies that a gallery shows, and failed rows that are listed."""

    overwrite: bool = False
    """Replace whatever report stands at --output."""

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
