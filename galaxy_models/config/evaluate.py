"""The flags of ``jobs.evaluate``, their help texts and checks."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from galaxy_models.config.checks import check_endpoint, check_image_prefixes, require
from galaxy_models.config.label_groups import parse_label_groups
from galaxy_models.errors import ConfigError

MAX_BINS = 1000
MAX_GALLERY_SIZE = 200  # about 5 kB of the page a cutout
OF_PREDICTIONS = {
    **dict.fromkeys(
        ("labels", "label_column"),
        "with --detections the labels are a column of --truth",
    ),
    **dict.fromkeys(
        ("id_column", "volunteers_column", "label_groups", "exclude_label", "num_bins"),
        "leave it out with --detections",
    ),
    **dict.fromkeys(
        ("catalog", "image_column"),
        "with --detections name the images' folder with --image-root",
    ),
}
"""Flags that mean nothing with --detections, and what to do instead."""

OF_DETECTIONS = dict.fromkeys(
    ("partial_truth", "match_radius", "min_score"), "leave it out with --predictions"
)
"""Flags that mean nothing with --predictions, likewise."""


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """Compare predictions with labels, or detections with a truth; write a report."""

    predictions: str | None = None
    """Folder that jobs.score wrote, or a Parquet file or pattern of such rows."""

    detections: str | None = None
    """Instead of --predictions: folder that jobs.detect wrote, or a Parquet file or
    pattern of such rows; to be compared with --truth."""

    truth: str | None = None
    """With --detections: table with a row for each true source, in any catalog format:
    image (as the detections name it), x, y (px, 0-based), and if known kind (galaxy,
    star), label, r_magnitude, half_light_radius_px and r90_px."""

    output: str
    """Folder for report.html, metrics.json and figures; must not exist, be empty, or,
    with --overwrite, contain a report."""

    labels: str | None = None
    """Table with ids and labels, in any catalog format: classes, votes, or measured
    numbers in columns of the names that were learned; without it the report describes
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

    partial_truth: bool = False
    """With --detections: the truth lists some sources only, such as galaxies that were
    added to real images; nothing is said about purity."""

    match_radius: float = 3.0
    """With --detections: largest distance between a detection and its true source
    (px); half of a large source's half-light radius, if that is more."""

    min_score: float = 0.5
    """With --detections: score from which a detection is called a galaxy."""

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
        self._check_detections()
        require(
            not self.exclude_label or self.labels is not None,
            "exclude_label",
            " ".join(self.exclude_label),
            "there are no labels to leave out; name them with --labels",
        )

    def _check_detections(self) -> None:
        if (self.predictions is None) == (self.detections is None):
            raise ConfigError(
                "name what is to be evaluated, with either --predictions or "
                "--detections."
            )
        if (self.detections is None) != (self.truth is None):
            raise ConfigError(
                "--detections and --truth belong together: detections are compared "
                "with the sources that there are."
            )
        if self.detections is None:
            self._check_at_default(OF_DETECTIONS, "--detections")
        else:
            self._check_at_default(OF_PREDICTIONS, "--predictions")
        require(
            self.match_radius > 0,
            "match_radius",
            self.match_radius,
            "must be above 0 px",
        )
        require(
            0 <= self.min_score <= 1,
            "min_score",
            self.min_score,
            "must lie from 0 to 1",
        )

    def _check_at_default(self, remedies: Mapping[str, str], owner: str) -> None:
        """Refuse flags that belong to what is not evaluated."""
        defaults = {field.name: field.default for field in fields(self)}
        for flag, remedy in remedies.items():
            value = getattr(self, flag)
            require(
                value == defaults[flag],
                flag,
                " ".join(value) if isinstance(value, tuple) else value,
                f"belongs to {owner}; {remedy}",
            )
