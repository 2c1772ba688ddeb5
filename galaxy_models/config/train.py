"""What ``jobs.train`` can be told."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Literal, get_args

from galaxy_models.config.catalog import CatalogConfig
from galaxy_models.config.checks import (
    check_choices,
    check_count_or_auto,
    check_crop_fraction,
    check_endpoint,
    check_fits,
    check_image_prefixes,
    check_seed,
    require,
)
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.config.label_groups import parse_label_groups

NetworkName = Literal["mobilenet_v1", "mobilenet_v2", "mobilenet_v2_paper", "lenet5"]
NETWORK_NAMES: tuple[NetworkName, ...] = get_args(NetworkName)
NETWORKS_WITH_ALPHA: tuple[NetworkName, ...] = ("mobilenet_v2_paper",)
ClassWeightName = Literal["none", "balanced", "square_root"]
PrecisionName = Literal["float32", "mixed_float16", "mixed_bfloat16"]

MIN_IMAGE_SIZE_PX = 32  # below it the last maps of every MobileNet are empty
MAX_IMAGE_SIZE_PX = 1024

RANGES: tuple[tuple[tuple[str, ...], Callable[[float], bool], str], ...] = (
    (
        ("epochs", "batch_size", "plateau_patience", "early_stopping_patience"),
        lambda value: value >= 1,
        "must be at least 1",
    ),
    (
        ("max_restarts", "head_epochs"),
        lambda value: value >= 0,
        "must be 0 or more",
    ),
    (
        ("learning_rate", "head_learning_rate", "alpha"),
        lambda value: 0 < value < inf,
        "must be above 0 and finite",
    ),
    (
        ("validation_fraction", "plateau_factor"),
        lambda value: 0 < value < 1,
        "must lie between 0 and 1",
    ),
    (
        ("shift_fraction", "zoom_fraction", "test_fraction", "label_smoothing",
         "weight_averaging"),
        lambda value: 0 <= value < 1,
        "must be 0 or more and below 1",
    ),
    (
        ("teacher_weight",),
        lambda value: 0 < value <= 1,
        "must be above 0 and at most 1",
    ),
    (
        ("rotation_deg",),
        lambda value: 0 <= value <= 180,
        "must lie from 0 to 180 degrees",
    ),
    (("mantissa_bits",), lambda value: 1 <= value <= 23, "choose 1 to 23"),
)  # fmt: skip
"""Flags, what their values must fulfil, and how a refusal says so."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig(CatalogConfig):
    """Fit a network on labelled galaxies; write a model folder."""

    output: str
    """Model folder to write; must not exist, be empty, or hold a training like this
    one that did not finish."""

    label_column: str = "label"
    """Column of class names; if left out, the usual other names are found too."""

    label_groups: tuple[str, ...] = ()
    """Labels that mean one of several classes, such as
    elliptical=round+in_between+cigar: the network learns that one of them is right."""

    start_from: str | None = None
    """Model folder whose weights training starts from, or the name of a model that
    comes with the package, galaxy-zoo; with other classes its last layer begins
    anew."""

    teacher: tuple[str, ...] = ()
    """Tables that jobs.score wrote of this catalog with models of these classes:
    training learns the mean of their probabilities, too (Hinton et al. 2015)."""

    teacher_weight: float = 0.5
    """With --teacher: share of the loss that is theirs; the rest is the labels'."""

    head_epochs: int = 2
    """With --start-from and other classes: first epochs, in which only the new layer
    learns."""

    head_learning_rate: float = 1e-3
    """Learning rate of those epochs."""

    network: NetworkName = "mobilenet_v1"
    """Architecture to fit."""

    alpha: float = 1.0
    """Width multiplier of mobilenet_v2_paper; 1 for the others."""

    image_size: int = 224
    """Side of the square that the network sees (px)."""

    crop_fraction: float = 1.0
    """Central part of the image's shorter side that is kept before resizing."""

    fits_bands: tuple[str, ...] = ()
    """FITS: three bands, red first, or one (grey), by name (EXTNAME, or BAND0, BAND1 …
    of a cube) or number from 0; if left out, the first image in grey, or of a cube of
    three bands the last as red."""

    fits_stretch: float = 0.5
    """FITS: flux, in the image's unit, up to which brightness grows linearly (Lupton
    et al. 2004)."""

    fits_q: float = 10.0
    """FITS: softening of Lupton's asinh; the larger, the fainter the bright parts."""

    epochs: int = 30
    """Passes over the training galaxies."""

    batch_size: int = 32
    """Galaxies a step, summed over all workers."""

    learning_rate: float = 5e-4
    """Adam's first learning rate."""

    label_smoothing: float = 0.0
    """Share of each label that is spread over all classes (Szegedy et al. 2016)."""

    schedule: Literal["plateau", "cosine"] = "plateau"
    """plateau: the rate is cut when validation no longer improves; cosine: it falls
    along half a cosine, to 0 after the last epoch (Loshchilov & Hutter 2017)."""

    plateau_patience: int = 2
    """Epochs without a better validation loss before the rate is cut."""

    plateau_factor: float = 0.5
    """What the rate is multiplied by on a plateau."""

    early_stopping_patience: int = 10
    """Epochs without a better validation loss before training ends."""

    weight_averaging: float = 0.0
    """Share of a running mean of all weights that outlives a step, such as 0.998: the
    mean is what is validated and kept (Polyak & Juditsky 1992)."""

    validation_fraction: float = 0.1
    """Share of galaxies held back; which ones hangs on a hash of their ids."""

    test_fraction: float = 0.0
    """Share of galaxies that are neither trained nor validated with, and are listed in
    test_labels.parquet; which ones hangs on the same hash."""

    # On 2,638 real galaxies (45 of the rarest class) mobilenet_v2_paper at 64 px stood
    # at validation accuracy 0.49 without weights and 0.31 with them after 11 epochs.
    class_weight: ClassWeightName = "none"
    """balanced: every class weighs the same in the loss, however rare it is;
    square_root: as the square root of its galaxies."""

    undo_class_weight: bool = False
    """Take --class-weight out of the probabilities again when training is done: rare
    classes are learned from as the weights say, but called as rarely as they are (prior
    correction, King & Zeng 2001)."""

    rotation_deg: float = 180.0
    """Augmentation: largest rotation either way (deg)."""

    shift_fraction: float = 0.1
    """Augmentation: largest shift along each axis, as a share of the image's side."""

    zoom_fraction: float = 0.1
    """Augmentation: largest change of scale either way."""

    horizontal_flip: bool = True
    """Augmentation: mirror left and right at random."""

    vertical_flip: bool = True
    """Augmentation: mirror top and bottom at random."""

    num_workers: int | Literal["auto"] = "auto"
    """Training processes; auto: one per GPU, else one per host or per 8 CPUs."""

    sync_batch_norm: bool = False
    """Normalise by the galaxies of all workers, not by each worker's own; slower."""

    # Measured on CPUs with bfloat16 units (Intel, AMX): mixed_bfloat16 trains v1 at 0.7
    # of float32's speed at 64 px, at 0.85 of it at 128 px.
    precision: PrecisionName | Literal["auto"] = "auto"
    """What layers compute in, as Keras names it; auto: mixed_float16 on GPUs, float32
    on CPUs. Weights are float32 always."""

    mantissa_bits: int = 23
    """Bits of each weight's mantissa that model.keras keeps, of float32's 23; with 9
    the file is about half as large."""

    max_restarts: int = 3
    """Times that training goes on from the last checkpoint after workers were lost."""

    resume: Literal["auto", "never"] = "auto"
    """auto: an unfinished training at --output goes on where it was; never: it is
    refused."""

    seed: int = 0
    """Seed of weights, order and augmentation."""

    overwrite: bool = False
    """Begin anew, whatever training stands at --output."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigError: naming the flag, its value and what is allowed.
        """
        check_choices(self)
        for flags, is_allowed, remedy in RANGES:
            for flag in flags:
                value = getattr(self, flag)
                require(is_allowed(value), flag, value, remedy)
        require(
            self.test_fraction + self.validation_fraction < 1,
            "test_fraction",
            self.test_fraction,
            f"with --validation-fraction {self.validation_fraction} no galaxy is left "
            "to train on",
        )
        parse_label_groups(self.label_groups)
        require(
            not self.undo_class_weight or self.class_weight != "none",
            "undo_class_weight",
            self.undo_class_weight,
            "there is nothing to undo without --class-weight balanced or square_root",
        )
        self._check_network()
        self._check_images()
        check_count_or_auto("num_workers", self.num_workers)
        require(
            self.num_workers == "auto" or self.num_workers <= self.batch_size,
            "num_workers",
            self.num_workers,
            f"each needs a galaxy of every batch; --batch-size is {self.batch_size}",
        )
        check_endpoint(self.s3_endpoint_url)
        check_seed(self.seed)

    def _check_network(self) -> None:
        require(
            MIN_IMAGE_SIZE_PX <= self.image_size <= MAX_IMAGE_SIZE_PX,
            "image_size",
            self.image_size,
            f"choose {MIN_IMAGE_SIZE_PX} to {MAX_IMAGE_SIZE_PX} px",
        )
        require(
            self.alpha == 1 or self.network in NETWORKS_WITH_ALPHA,
            "alpha",
            self.alpha,
            f"{self.network} has no width multiplier; {NETWORKS_WITH_ALPHA[0]} has",
        )

    def _check_images(self) -> None:
        check_crop_fraction(self.crop_fraction)
        check_fits(self.fits_bands, self.fits_stretch, self.fits_q)
        check_image_prefixes(self.allow_image_prefix)

    @property
    def decode_rule(self) -> DecodeRule:
        """How images become pixels, in training and ever after."""
        return DecodeRule(
            self.image_size,
            self.crop_fraction,
            self.fits_bands,
            self.fits_stretch,
            self.fits_q,
        )
