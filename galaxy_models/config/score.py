"""What ``jobs.score`` can be told."""

from dataclasses import dataclass
from typing import Literal

from galaxy_models.config.catalog import CatalogConfig
from galaxy_models.config.checks import (
    check_choices,
    check_count_or_auto,
    check_endpoint,
    check_fits,
    check_image_prefixes,
    require,
)

EngineName = Literal["litert-int8", "litert-float", "keras"]
LITERT_ENGINES: tuple[EngineName, ...] = ("litert-int8", "litert-float")
TtaName = Literal["none", "flips", "dihedral"]


@dataclass(frozen=True, kw_only=True)
class ScoreConfig(CatalogConfig):
    """Predict the class of every galaxy of a catalog; write Parquet."""

    model: str
    """Model folder that jobs.train wrote, or the name of a model that comes with the
    package: galaxy-zoo."""

    output: str
    """Folder for the Parquet files; must not exist, be empty, or hold a scoring like
    this one, finished or not."""

    keep: tuple[str, ...] = ()
    """Catalog columns that ride along into the predictions."""

    fits_bands: tuple[str, ...] | None = None
    """FITS: as in training, which is the default; anything else is refused."""

    fits_stretch: float | None = None
    """FITS: as in training, which is the default; anything else is refused."""

    fits_q: float | None = None
    """FITS: as in training, which is the default; anything else is refused."""

    tta: TtaName = "none"
    """Test-time augmentation: predict every galaxy in its 4 exact mirror images
    (flips), or in these and turned by 90 degrees (dihedral, 8), and average; the
    column probability_spread says how far the views differ. Costs 4 or 8 times the
    predicting."""

    engine: EngineName | Literal["auto"] = "auto"
    """What predicts; auto: keras on GPUs; on CPUs litert-int8 where its classes agreed
    with the trained model's on validation galaxies, else litert-float."""

    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Where to predict; auto: on GPUs if there are any."""

    plan: Literal["auto", "fused", "two-stage"] = "auto"
    """fused: an actor decodes and predicts; two-stage: CPU tasks decode for actors that
    only predict; auto: two-stage on GPUs."""

    num_workers: int | Literal["auto"] = "auto"
    """Predicting actors; auto: one per GPU, else one per CPU."""

    batch_size: int | Literal["auto"] = "auto"
    """Galaxies that an actor predicts at once; auto: 256 on GPUs, else 32."""

    rows_per_file: int = 50_000
    """Galaxies that a Parquet file of predictions holds, if there are as many."""

    rows_per_chunk: int | Literal["auto"] = "auto"
    """Galaxies that are predicted, and kept, together: a crash costs at most as many an
    actor; auto: 64 to 1024."""

    max_failed_fraction: float = 0.5
    """Share of failed rows above which the job stops with exit code 1."""

    resume: Literal["auto", "never"] = "auto"
    """auto: an unfinished scoring at --output goes on where it was; never: it is
    refused."""

    progress_interval_s: float = 10.0
    """Seconds between two progress lines."""

    overwrite: bool = False
    """Begin anew, whatever predictions stand at --output."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigError: naming the flag, its value and what is allowed.
        """
        check_choices(self)
        _check_engine(self.engine, self.device)
        check_fits(self.fits_bands, self.fits_stretch, self.fits_q)
        check_image_prefixes(self.allow_image_prefix)
        require(
            self.rows_per_file >= 1,
            "rows_per_file",
            self.rows_per_file,
            "must be at least 1",
        )
        require(
            0 <= self.max_failed_fraction <= 1,
            "max_failed_fraction",
            self.max_failed_fraction,
            "must lie from 0 to 1",
        )
        require(
            len(set(self.keep)) == len(self.keep),
            "keep",
            " ".join(self.keep),
            "names a column twice",
        )
        require(
            self.progress_interval_s > 0,
            "progress_interval_s",
            self.progress_interval_s,
            "must be above 0 seconds",
        )
        check_count_or_auto("num_workers", self.num_workers)
        check_endpoint(self.s3_endpoint_url)
        check_count_or_auto("batch_size", self.batch_size)
        check_count_or_auto("rows_per_chunk", self.rows_per_chunk)


def _check_engine(engine: str, device: str) -> None:
    require(
        device != "gpu" or engine not in LITERT_ENGINES,
        "engine",
        engine,
        "LiteRT predicts on CPUs only; with --device gpu choose keras or auto",
    )
