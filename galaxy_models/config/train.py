"""The flags of ``jobs.train``, their help texts and checks."""

from dataclasses import dataclass, replace
from typing import Literal

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
from galaxy_models.config.networks import (
    HIDDEN_UNITS,
    MIN_IMAGE_SIZE_PX,
    NETWORKS_WITH_ALPHA,
    NETWORKS_WITH_HIDDEN_UNITS,
    NetworkName,
)
from galaxy_models.config.train_values import (
    check_answers,
    check_ranges,
    check_start,
)

ClassWeightName = Literal["none", "balanced", "square_root"]
PrecisionName = Literal["float32", "mixed_float16", "mixed_bfloat16"]
MAX_IMAGE_SIZE_PX = 1024


@dataclass(frozen=True, kw_only=True)
class TrainConfig(CatalogConfig):
    """Fit a network on labelled galaxies; write a model folder."""

    output: str
    """Model folder to write; must not exist, be empty, or contain an unfinished
    training with the same flags."""

    label_column: str = "label"
    """Column of class names; if left out, other usual names are found too."""

    questions: str | None = None
    """Learn what volunteers answered, in place of classes: decision tree in JSON
    ({question: {answer: next question or null}}), or galaxy-zoo-2 or galaxy-zoo-desi,
    which come with the package. The catalog has a column <question>_<answer> for each
    answer, or with _count, _fraction or _debiased behind."""

    volunteers_column: str | None = None
    """With --questions: column of the number of volunteers of each galaxy, where the
    answers' columns hold fractions; if left out, num_volunteers and other usual names
    are found; none: they hold counts."""

    target: tuple[str, ...] = ()
    """Learn measured numbers, such as sizes, in place of classes: columns of them.
    Scoring gives each a mean and a standard deviation, in the column's unit."""

    label_groups: tuple[str, ...] = ()
    """Labels that mean one of several classes, such as
    elliptical=round+in_between+cigar; their loss uses the sum of these classes'
    probabilities."""

    start_from: str | None = None
    """Fine-tuning: model folder to take the initial weights from, or galaxy-zoo or
    galaxy-zoo-small. If the classes differ, the last layer is initialised at random; if
    --hidden-units do, the last two are."""

    average_with: tuple[str, ...] = ()
    """With --start-from: further models that were trained from the same one; the mean
    of all their weights is the start (model soup, Wortsman et al. 2022)."""

    teacher: tuple[str, ...] = ()
    """Knowledge distillation (Hinton et al. 2015): predictions of jobs.score for this
    catalog, by models with these classes; labels are mixed with their mean
    probabilities."""

    teacher_weight: float = 0.5
    """With --teacher: weight of the teachers' probabilities in the loss; the labels get
    the rest."""

    head_epochs: int = 2
    """With --start-from and other classes or --hidden-units: first epochs, in which
    only the layers that begin at random are trained."""

    head_learning_rate: float = 1e-3
    """Learning rate of these first epochs."""

    network: NetworkName = "mobilenet_v1"
    """Architecture to train."""

    alpha: float = 1.0
    """Width multiplier of mobilenet_v1 and mobilenet_v2_paper; 1 for the others."""

    hidden_units: int = HIDDEN_UNITS
    """Units of the dense layer before a MobileNet's outputs; 0 for none, as in the
    papers: half to a quarter of a narrow network's weights are left."""

    image_size: int = 224
    """Side of the square input of the network (px)."""

    crop_fraction: float = 1.0
    """Central fraction of the image's shorter side that is kept before resizing."""

    fits_bands: tuple[str, ...] = ()
    """FITS: three bands, red first, or one (grey), by name (EXTNAME, or BAND0, BAND1 …
    of a cube) or by number from 0; default: the first image in grey, or the bands of a
    cube of three, the last one red."""

    fits_stretch: float = 0.5
    """FITS: flux, in the image's unit, up to which brightness is linear (Lupton et al.
    2004)."""

    fits_q: float = 10.0
    """FITS: softening Q of Lupton's asinh stretch; larger values compress bright parts
    more."""

    epochs: int = 30
    """Passes over the training galaxies."""

    batch_size: int = 32
    """Galaxies per step, over all workers."""

    learning_rate: float = 5e-4
    """Initial learning rate of Adam."""

    label_smoothing: float = 0.0
    """Fraction of each label that is spread over all classes (Szegedy et al. 2016)."""

    schedule: Literal["plateau", "cosine"] = "plateau"
    """plateau: reduce the learning rate when the validation loss stops improving;
    cosine: decay it along half a cosine to 0 (Loshchilov & Hutter 2017)."""

    plateau_patience: int = 2
    """Epochs without a better validation loss before the learning rate is reduced."""

    plateau_factor: float = 0.5
    """Factor by which the learning rate is multiplied on a plateau."""

    early_stopping_patience: int = 10
    """Epochs without a better validation loss before training stops."""

    restore_best_weights: bool = True
    """Keep the weights of the epoch with the lowest validation loss; if not, those of
    the last one, whose vote fractions are often nearer."""

    weight_averaging: float = 0.0
    """Decay per step of an exponential moving average of the weights, such as 0.998;
    the averaged weights are validated and kept (Polyak & Juditsky 1992). 0: off."""

    validation_fraction: float = 0.1
    """Fraction of galaxies for validation; the split is a hash of the id."""

    test_fraction: float = 0.0
    """Fraction of galaxies held out of training and validation, listed in
    test_labels.parquet; the split is a hash of the id."""

    # On 2,638 real galaxies (45 of the rarest class) mobilenet_v2_paper at 64 px stood
    # at validation accuracy 0.49 without weights and 0.31 with them after 11 epochs.
    class_weight: ClassWeightName = "none"
    """balanced: every class has the same total weight in the loss; square_root: a total
    weight proportional to the square root of its number of galaxies."""

    undo_class_weight: bool = False
    """Correct the probabilities of the finished network for --class-weight (prior
    correction, King & Zeng 2001), so that rare classes are not predicted too often."""

    moved_fraction: float = 1.0
    """Augmentation: fraction of the views that the next three flags change; the others,
    at most mirrored, are as sharp as what is predicted."""

    rotation_deg: float = 180.0
    """Augmentation: largest rotation in either direction (deg)."""

    shift_fraction: float = 0.1
    """Augmentation: largest shift along each axis, as a fraction of the side."""

    zoom_fraction: float = 0.1
    """Augmentation: largest relative change of scale, in or out."""

    margin_fraction: float = 0.0
    """Augmentation: sky that is decoded around the crop, as a fraction of its side, so
    that views that are shifted, turned or zoomed out have less of a black border."""

    degraded_fraction: float = 0.5
    """Augmentation: fraction of the views that are degraded by the amounts of the next
    four flags, each between none and the largest."""

    blur_fraction: float = 0.0
    """Augmentation: largest standard deviation of a Gaussian blur (worse seeing), as a
    fraction of the side, such as 0.02."""

    noise_levels: float = 0.0
    """Augmentation: largest standard deviation of Gaussian noise (less depth), in grey
    levels of 255."""

    colour_fraction: float = 0.0
    """Augmentation: largest relative change of each band's brightness."""

    jpeg_quality: int = 100
    """Augmentation: lowest quality of a JPEG compression; 100: none."""

    horizontal_flip: bool = True
    """Augmentation: mirror left and right at random."""

    vertical_flip: bool = True
    """Augmentation: mirror top and bottom at random."""

    plan: Literal["auto", "local", "ray"] = "auto"
    """local: one process on this machine's CPUs, without Ray; ray: Ray's workers, here
    or on a cluster; auto: local for small catalogs on one machine."""

    num_workers: int | Literal["auto"] = "auto"
    """Training processes; auto: one per GPU, otherwise one per host or per 8 CPUs."""

    sync_batch_norm: bool = False
    """Batch normalisation over the galaxies of all workers, not each worker's own;
    slower."""

    # Measured on CPUs with bfloat16 units (Intel, AMX): mixed_bfloat16 trains v1 at 0.7
    # of float32's speed at 64 px, at 0.85 of it at 128 px.
    precision: PrecisionName | Literal["auto"] = "auto"
    """Keras' dtype policy; auto: mixed_float16 on GPUs, float32 on CPUs. Weights are
    always float32."""

    mantissa_bits: int = 23
    """Mantissa bits of the weights in model.keras, of float32's 23; with 9 the file is
    about half as large."""

    max_restarts: int = 3
    """How often training resumes from the last checkpoint after losing workers."""

    resume: Literal["auto", "never"] = "auto"
    """auto: resume an unfinished training in --output; never: refuse it."""

    seed: int = 0
    """Seed of the initial weights, the order and the augmentation."""

    overwrite: bool = False
    """Start again, whatever training is in --output."""

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ConfigError: naming the flag, its value and what is allowed.
        """
        check_choices(self)
        check_ranges(self)
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
        check_answers(self)
        check_start(self)
        self._check_network()
        self._check_images()
        check_count_or_auto("num_workers", self.num_workers)
        require(
            self.num_workers == "auto" or self.num_workers <= self.batch_size,
            "num_workers",
            self.num_workers,
            f"each needs a galaxy of every batch; --batch-size is {self.batch_size}",
        )
        require(
            self.plan != "local" or self.num_workers in ("auto", 1),
            "plan",
            self.plan,
            f"it is one process; --num-workers {self.num_workers} needs --plan ray",
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
            f"{self.network} has no width multiplier; "
            f"{' and '.join(NETWORKS_WITH_ALPHA)} have",
        )
        has_hidden = self.network in NETWORKS_WITH_HIDDEN_UNITS
        require(
            has_hidden or self.hidden_units == HIDDEN_UNITS,
            "hidden_units",
            self.hidden_units,
            f"{self.network} has its own dense layers; leave {HIDDEN_UNITS}",
        )

    def _check_images(self) -> None:
        check_crop_fraction(self.crop_fraction)
        require(
            self.decoded_size * self.crop_fraction <= self.image_size,
            "margin_fraction",
            self.margin_fraction,
            f"around a crop of {self.crop_fraction} no image has that much; lower "
            "--margin-fraction or --crop-fraction",
        )
        check_fits(self.fits_bands, self.fits_stretch, self.fits_q)
        check_image_prefixes(self.allow_image_prefix)

    @property
    def decoded_size(self) -> int:
        """Side of a training image with its margin (px); even, if the input's is."""
        return self.image_size + 2 * round(self.image_size * self.margin_fraction / 2)

    @property
    def training_rule(self) -> DecodeRule:
        """How training images are decoded: as for scoring, with the margin around."""
        size = self.decoded_size
        crop_fraction = min(self.crop_fraction * size / self.image_size, 1.0)
        return replace(self.decode_rule, image_size=size, crop_fraction=crop_fraction)

    @property
    def decode_rule(self) -> DecodeRule:
        """How images are decoded, in training and in scoring."""
        return DecodeRule(
            self.image_size,
            self.crop_fraction,
            self.fits_bands,
            self.fits_stretch,
            self.fits_q,
        )
