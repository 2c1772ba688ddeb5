"""The flags of ``jobs.score``, their help texts and checks."""

from dataclasses import dataclass
from typing import Literal

from galaxy_models.config.catalog import CatalogConfig
from galaxy_models.config.checks import (
    check_choices,
    check_count_or_auto,
    check_endpoint,
    check_fits,
    check_image_prefixes,
    check_named_once,
    require,
)
from galaxy_models.errors import FailureReason

EngineName = Literal[
    "litert-int8", "litert-float", "openvino-int8", "openvino-bf16", "openvino-float",
    "keras",
]  # fmt: skip
OPENVINO_ENGINES: tuple[EngineName, ...] = (
    "openvino-int8", "openvino-bf16", "openvino-float"
)  # fmt: skip
CPU_ENGINES: tuple[EngineName, ...] = (
    "litert-int8", "litert-float", *OPENVINO_ENGINES
)  # fmt: skip
TtaName = Literal["none", "flips", "dihedral"]
RetryName = Literal["failed", "changed"] | FailureReason


@dataclass(frozen=True, kw_only=True)
class ScoreConfig(CatalogConfig):
    """Predict the class of every galaxy of a catalog; write Parquet."""

    model: str
    """Model folder of jobs.train, or a model that comes with the package:
    galaxy-zoo, or galaxy-zoo-small, which is faster and less accurate."""

    output: str
    """Folder for the Parquet files; must not exist, be empty, or contain predictions of
    the same catalog, model and flags, finished or not."""

    previous: str | None = None
    """Finished predictions of the same model and flags: their rows are carried over,
    and only galaxies that are new, or failed there, are predicted."""

    retry: tuple[RetryName, ...] = ("failed",)
    """With --previous: its failed rows to predict again, by reason; failed: all of
    them; changed: also good ones whose image was written since; no word: none."""

    removed_rows: Literal["drop", "keep"] = "drop"
    """With --previous: whether its rows that the catalog no longer has are left out or
    carried over, too."""

    hats: str | None = None
    """Folder for the finished predictions as a HATS catalog, too, which lsdb opens; the
    catalog's positions are then kept without --keep."""

    keep: tuple[str, ...] = ()
    """Catalog columns to copy into the predictions; with ra and dec, jobs.hats makes a
    HATS catalog of them later."""

    fits_bands: tuple[str, ...] | None = None
    """FITS: names or numbers (from 0) of three bands, red first, or of one; default: as
    in training."""

    fits_stretch: float | None = None
    """FITS: flux, in the image's unit, up to which brightness is linear; default: as in
    training."""

    fits_q: float | None = None
    """FITS: softening Q of the asinh stretch; default: as in training."""

    tta: TtaName = "none"
    """Test-time augmentation: average over the 4 mirror images of each galaxy (flips),
    or these and their rotations by 90 degrees (dihedral, 8). The column
    probability_spread gives the scatter. Prediction takes 4 or 8 times as long."""

    plausible_classes: bool = False
    """Also write a list of the classes that hold the true one for at least 90 % of
    galaxies like those that the model was validated with (conformal sets); one class
    each, where the model is correct more often than that."""

    posterior: bool = False
    """Models of votes: also write each answer's Dirichlet concentration, which says how
    sure the fractions are."""

    embedding: int = 0
    """Components of the column embedding, a short vector of each galaxy that
    jobs.similar and jobs.label_page search; 0: no such column; 32 serve well."""

    familiarity: bool = False
    """Also write the column familiarity: 0 for what looks like no training galaxy, such
    as stars, satellite trails and error frames."""

    engine: EngineName | Literal["auto"] = "auto"
    """Inference engine; auto: keras on GPUs; on CPUs litert-int8 if it agreed with the
    trained network on the validation galaxies, otherwise litert-float; for large
    catalogs the fastest that agrees, by measurement. Those of OpenVINO need
    `pip install 'galaxy-batch[openvino]'`."""

    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Where to predict; auto: on GPUs if there are any."""

    plan: Literal["auto", "local", "fused", "two-stage"] = "auto"
    """local: threads of this process decode and predict, without Ray; fused: each Ray
    actor does both; two-stage: CPU tasks decode for actors that only predict; auto:
    local for small catalogs on one machine, two-stage on GPUs, otherwise fused."""

    num_workers: int | Literal["auto"] = "auto"
    """Predicting actors or threads; auto: one per GPU, otherwise one per CPU."""

    batch_size: int | Literal["auto"] = "auto"
    """Galaxies per prediction; auto: 256 on GPUs, otherwise 32."""

    rows_per_file: int = 50_000
    """Galaxies that a Parquet file of predictions holds, if there are as many."""

    rows_per_chunk: int | Literal["auto"] = "auto"
    """Galaxies per chunk; a crash costs at most one chunk per actor; auto: 64 to
    1024."""

    max_failed_fraction: float = 0.5
    """Fraction of failed rows above which the job stops with exit code 1."""

    resume: Literal["auto", "never"] = "auto"
    """auto: resume an unfinished scoring in --output; never: refuse it."""

    progress_interval_s: float = 10.0
    """Seconds between two progress lines."""

    estimate: bool = False
    """Predict 256 galaxies at random on one core, say what all would take (hours,
    requests, bytes, memory), and write nothing."""

    overwrite: bool = False
    """Start again, whatever predictions are in --output."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigError: naming the flag, its value and what is allowed.
        """
        check_choices(self)
        _check_engine(self.engine, self.device)
        _check_local(self)
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
        check_named_once("keep", self.keep)
        require(
            self.progress_interval_s > 0,
            "progress_interval_s",
            self.progress_interval_s,
            "must be above 0 seconds",
        )
        self._check_previous()
        require(self.embedding >= 0, "embedding", self.embedding, "must be at least 0")
        check_count_or_auto("num_workers", self.num_workers)
        check_endpoint(self.s3_endpoint_url)
        check_count_or_auto("batch_size", self.batch_size)
        check_count_or_auto("rows_per_chunk", self.rows_per_chunk)

    def _check_previous(self) -> None:
        for flag, default in (("retry", ("failed",)), ("removed_rows", "drop")):
            value = getattr(self, flag)
            require(
                self.previous is not None or value == default,
                flag,
                " ".join(value) if isinstance(value, tuple) else value,
                "name earlier predictions with --previous, or leave the flag out",
            )


def _check_engine(engine: str, device: str) -> None:
    require(
        device != "gpu" or engine not in CPU_ENGINES,
        "engine",
        engine,
        "it predicts on CPUs only; with --device gpu choose keras or auto",
    )


def _check_local(config: ScoreConfig) -> None:
    require(
        config.plan != "local" or (config.engine != "keras" and config.device != "gpu"),
        "plan",
        config.plan,
        "it predicts with LiteRT or OpenVINO on CPUs; with --engine keras or --device "
        "gpu choose another plan",
    )
