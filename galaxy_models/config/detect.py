"""The flags of ``jobs.detect``, their help texts and checks."""

from dataclasses import dataclass
from typing import Literal

from galaxy_models.config.checks import (
    check_choices,
    check_count_or_auto,
    check_endpoint,
    check_fits,
    check_image_prefixes,
    require,
)
from galaxy_models.config.score import EngineName

HAND_OVERS = ("stamps", "regions", "overlay")
"""Flags that name folders for what is made of the detections."""

TILE_STEP_PX = 128  # the background's mesh
TILE_SIZES_PX = range(TILE_STEP_PX, 8192 + 1, TILE_STEP_PX)


def is_within(folder: str, other: str) -> bool:
    """Whether a folder is another one, or lies in it, as far as their texts say."""
    inner, outer = (f"{uri.rstrip('/')}/" for uri in (folder, other))
    return inner.startswith(outer)


@dataclass(frozen=True, kw_only=True)
class DetectConfig:
    """Find the sources of wide images, and classify them; write Parquet."""

    images: str
    """Folder of wide images (JPEG, PNG, TIFF, WebP, FITS), one such image, or a table
    of them: Parquet, CSV and whatever else jobs.score takes as --catalog."""

    output: str
    """Folder for the Parquet files; must not exist, be empty, or contain detections in
    the same images by the same model and flags, finished or not."""

    stamps: str | None = None
    """Folder for a table of stamps, a row for each primary source with a class:
    object_id and image_bytes, as jobs.score and jobs.train take them, with class and
    score. Like the next two, also for a detection that is finished already."""

    regions: str | None = None
    """Folder for a region file an image, which DS9 and Aladin show: circles of r90,
    coloured by class."""

    overlay: str | None = None
    """Folder for a picture (JPEG) an image, with boxes around galaxies, coloured by
    class."""

    model: str = "galaxy-zoo-detect"
    """Model folder of jobs.train, or a model that comes with the package:
    galaxy-zoo-detect, which tells stars and artefacts from galaxies."""

    wcs: str | None = None
    """Folder of FITS headers with the images' sky coordinates, such as those that
    astrometry.net makes: field/a.wcs for the image field/a.jpg."""

    image_root: str | None = None
    """Folder that relative image paths start from; default: the table's folder."""

    image_column: str = "image"
    """Column of image URIs, paths relative to --image-root, or image bytes; if left
    out, other usual names are found too."""

    id_column: str | None = None
    """Column that names each image in the detections; default: --image-column."""

    s3_endpoint_url: str | None = None
    """Endpoint of s3:// URIs; default: AWS_ENDPOINT_URL if set, otherwise AWS."""

    allow_image_prefix: tuple[str, ...] = ()
    """With --image-root: further folders (absolute paths or s3:// URIs) whose images
    the table may name. Without both flags it may name any full path."""

    fits_bands: tuple[str, ...] | None = None
    """FITS: names or numbers (from 0) of three bands, red first, or of one; sources are
    sought in all of them. Default: as in training."""

    fits_stretch: float | None = None
    """FITS: flux, in the image's unit, up to which the network sees brightness
    linearly; default: as in training."""

    fits_q: float | None = None
    """FITS: softening Q of the asinh stretch; default: as in training."""

    tile_size: int = 2048
    """Side of a tile (px), a multiple of 128: what a worker holds of an image at a
    time, with 256 px around it. Sources that touch may be split otherwise in tiles of
    another size."""

    engine: EngineName | Literal["auto"] = "auto"
    """Inference engine; auto: litert-int8 if it agreed with the trained network on the
    validation galaxies, otherwise litert-float. Those of OpenVINO need
    `pip install 'galaxy-batch[openvino]'`."""

    plan: Literal["auto", "local", "ray"] = "auto"
    """local: one thread of this process, without Ray; ray: actors on all CPUs, of this
    machine or of the cluster that RAY_ADDRESS names; auto: local for up to 50
    megapixels on one machine."""

    num_workers: int | Literal["auto"] = "auto"
    """Detecting actors; auto: one per CPU."""

    tiles_per_file: int = 64
    """Tiles whose sources make up a Parquet file, if there are as many."""

    max_failed_fraction: float = 0.5
    """Fraction of failed tiles above which the job stops with exit code 1."""

    resume: Literal["auto", "never"] = "auto"
    """auto: resume an unfinished detection in --output; never: refuse it."""

    progress_interval_s: float = 10.0
    """Seconds between two progress lines."""

    overwrite: bool = False
    """Start again, whatever detections are in --output."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigError: naming the flag, its value and what is allowed.
        """
        check_choices(self)
        check_fits(self.fits_bands, self.fits_stretch, self.fits_q)
        check_image_prefixes(self.allow_image_prefix)
        check_endpoint(self.s3_endpoint_url)
        check_count_or_auto("num_workers", self.num_workers)
        require(
            self.plan != "local" or self.engine != "keras",
            "plan",
            self.plan,
            "it predicts with LiteRT or OpenVINO; with --engine keras choose another "
            "plan",
        )
        require(
            self.tile_size in TILE_SIZES_PX,
            "tile_size",
            self.tile_size,
            f"must be a multiple of {TILE_STEP_PX} from {TILE_SIZES_PX[0]} to "
            f"{TILE_SIZES_PX[-1]} px",
        )
        self._check_folders()
        require(
            self.tiles_per_file >= 1,
            "tiles_per_file",
            self.tiles_per_file,
            "must be at least 1",
        )
        require(
            0 <= self.max_failed_fraction <= 1,
            "max_failed_fraction",
            self.max_failed_fraction,
            "must lie from 0 to 1",
        )
        require(
            self.progress_interval_s > 0,
            "progress_interval_s",
            self.progress_interval_s,
            "must be above 0 seconds",
        )

    def _check_folders(self) -> None:
        folders = [getattr(self, flag) for flag in HAND_OVERS]
        for place, (flag, folder) in enumerate(zip(HAND_OVERS, folders, strict=True)):
            require(
                folder is None or folder not in folders[:place],
                flag,
                folder,
                "each needs a folder of its own",
            )
            require(
                folder is None or not is_within(folder, self.output),
                flag,
                folder,
                f"must not lie in --output {self.output}",
            )

    @property
    def catalog(self) -> str:
        """The table of images, as other jobs call theirs."""
        return self.images
