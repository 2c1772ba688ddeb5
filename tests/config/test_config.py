"""Flags that make no sense are refused before any work begins."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from galaxy_models.config import (
    NETWORK_NAMES,
    QuickstartConfig,
    ScoreConfig,
    TrainConfig,
)
from galaxy_models.config.decode_rule import DecodeRule
from galaxy_models.errors import ConfigError


def train_config(**changes: Any) -> TrainConfig:
    return TrainConfig(catalog="galaxies.csv", output="model", **changes)


def score_config(**changes: Any) -> ScoreConfig:
    return ScoreConfig(
        catalog="galaxies.csv", model="model", output="predictions", **changes
    )


def test_defaults_are_the_recipe_of_the_blog() -> None:
    config = train_config()

    assert config.learning_rate == 5e-4
    assert config.plateau_patience == 2
    assert config.plateau_factor == 0.5
    assert config.validation_fraction == 0.1
    assert config.epochs == 30
    assert config.image_size == 224


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("network", "resnet50", r"--network resnet50: choose one of .*mobilenet_v1"),
        ("image_size", 31, r"--image-size 31: choose 32 to 1024 px\."),
        ("image_size", 1025, r"--image-size 1025: choose 32 to 1024 px\."),
        ("epochs", 0, r"--epochs 0: must be at least 1\."),
        ("batch_size", 0, r"--batch-size 0: must be at least 1\."),
        ("plateau_patience", 0, r"--plateau-patience 0: must be at least 1\."),
        ("learning_rate", 0.0, r"--learning-rate 0\.0: must be above 0 and finite\."),
        (
            "learning_rate",
            float("nan"),
            r"--learning-rate nan: must be above 0 and finite\.",
        ),
        ("alpha", -1.0, r"--alpha -1\.0: must be above 0 and finite\."),
        ("validation_fraction", 0.0, r"--validation-fraction 0\.0: .*between 0 and 1"),
        ("validation_fraction", 1.0, r"--validation-fraction 1\.0: .*between 0 and 1"),
        ("margin_fraction", 0.1, r"--margin-fraction 0\.1: around a crop of 1\.0 no"),
        ("degraded_fraction", 1.1, r"--degraded-fraction 1\.1: .*from 0 to 1"),
        ("blur_fraction", -0.1, r"--blur-fraction -0\.1: .*0 or more and below 1"),
        ("noise_levels", 256.0, r"--noise-levels 256\.0: .*below 256 grey levels"),
        ("colour_fraction", 1.0, r"--colour-fraction 1\.0: .*0 or more and below 1"),
        ("jpeg_quality", 0, r"--jpeg-quality 0: choose 1 to 100"),
        ("test_fraction", -0.1, r"--test-fraction -0\.1: .*0 or more and below 1"),
        (
            "test_fraction",
            0.9,
            r"--test-fraction 0\.9: with --validation-fraction 0\.1",
        ),
        ("label_smoothing", 1.0, r"--label-smoothing 1\.0: .*0 or more and below 1"),
        ("label_groups", ("a",), r"--label-groups a: write a label, =, and its class"),
        ("schedule", "step", r"--schedule step: choose one of plateau, cosine"),
        ("class_weight", "some", r"--class-weight some: .*balanced, square_root"),
        ("undo_class_weight", True, r"--undo-class-weight True: .*--class-weight bal"),
        ("head_epochs", -1, r"--head-epochs -1: must be 0 or more"),
        ("head_learning_rate", 0.0, r"--head-learning-rate 0\.0: must be above 0"),
        ("plateau_factor", 0.0, r"--plateau-factor 0\.0: .*between 0 and 1"),
        ("plateau_factor", 1.0, r"--plateau-factor 1\.0: .*between 0 and 1"),
        ("shift_fraction", -0.1, r"--shift-fraction -0\.1: .*0 or more and below 1"),
        ("shift_fraction", 1.0, r"--shift-fraction 1\.0: .*0 or more and below 1"),
        ("zoom_fraction", -0.1, r"--zoom-fraction -0\.1: .*0 or more and below 1"),
        ("zoom_fraction", 1.0, r"--zoom-fraction 1\.0: .*0 or more and below 1"),
        ("crop_fraction", 0.0, r"--crop-fraction 0\.0: .*above 0 and at most 1"),
        ("crop_fraction", 1.1, r"--crop-fraction 1\.1: .*above 0 and at most 1"),
        ("rotation_deg", -1.0, r"--rotation-deg -1\.0: .*from 0 to 180 degrees"),
        ("rotation_deg", 181.0, r"--rotation-deg 181\.0: .*from 0 to 180 degrees"),
        ("num_workers", 0, r"--num-workers 0: must be auto or at least 1\."),
        ("num_workers", 33, r"--num-workers 33: .*every batch; --batch-size is 32"),
        ("precision", "float8", r"--precision float8: choose one of auto, float32"),
        ("resume", "always", r"--resume always: choose one of auto, never"),
        ("max_restarts", -1, r"--max-restarts -1: must be 0 or more"),
        ("early_stopping_patience", 0, r"--early-stopping-patience 0: .*at least 1"),
        ("learning_rate", float("inf"), r"--learning-rate inf: .*finite"),
        ("num_workers", "many", r"--num-workers many: must be auto or at least 1\."),
    ],
)
def test_a_training_flag_out_of_range_is_named_with_its_value_and_remedy(
    flag: str, value: object, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train_config(**{flag: value})


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("batch_size", 0, r"--batch-size 0: must be auto or at least 1\."),
        ("engine", "onnx", r"--engine onnx: choose one of auto, litert-int8, .*keras"),
        ("tta", "crops", r"--tta crops: choose one of none, flips, dihedral"),
        ("rows_per_file", 0, r"--rows-per-file 0: must be at least 1\."),
        ("max_failed_fraction", -0.1, r"--max-failed-fraction -0\.1: .*from 0 to 1"),
        ("max_failed_fraction", 1.1, r"--max-failed-fraction 1\.1: .*from 0 to 1"),
        ("progress_interval_s", 0.0, r"--progress-interval-s 0\.0: .*above 0 seconds"),
        ("num_workers", -2, r"--num-workers -2: must be auto or at least 1\."),
    ],
)
def test_a_scoring_flag_out_of_range_is_named_with_its_value_and_remedy(
    flag: str, value: object, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        score_config(**{flag: value})


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("num_labelled", 49, r"--num-labelled 49: must be at least 50\."),
        ("num_catalog", 49, r"--num-catalog 49: must be at least 50\."),
        ("epochs", 0, r"--epochs 0: must be at least 1\."),
    ],
)
def test_a_quickstart_flag_out_of_range_is_named_with_its_value_and_remedy(
    flag: str, value: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        QuickstartConfig(**{flag: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_numpy_cannot_take_is_refused(seed: int) -> None:
    with pytest.raises(ConfigError, match=f"--seed {seed}"):
        train_config(seed=seed)


def test_one_process_is_not_several_workers() -> None:
    message = "--plan local: it is one process; --num-workers 2 needs --plan ray"
    with pytest.raises(ConfigError, match=message):
        train_config(plan="local", num_workers=2)


def test_a_network_of_one_width_takes_no_alpha() -> None:
    message = (
        r"--alpha 0\.5: lenet5 has no .*; mobilenet_v1 and mobilenet_v2_paper have"
    )
    with pytest.raises(ConfigError, match=message):
        train_config(network="lenet5", alpha=0.5)


def test_a_network_with_its_own_dense_layers_takes_no_hidden_units() -> None:
    message = "--hidden-units 0: lenet5 has its own dense layers; leave 1000"
    with pytest.raises(ConfigError, match=message):
        train_config(network="lenet5", hidden_units=0)


@pytest.mark.parametrize(
    "changes",
    [
        {"image_size": 32},
        {"image_size": 1024},
        {"shift_fraction": 0.0, "zoom_fraction": 0.0, "rotation_deg": 0.0},
        {"rotation_deg": 180.0},
        {"crop_fraction": 1.0},
        {"network": "mobilenet_v2_paper", "alpha": 0.35},
        {"network": "mobilenet_v1", "alpha": 0.25, "hidden_units": 0},
        {"num_workers": 1},
        *({"network": name} for name in NETWORK_NAMES),
    ],
)
def test_values_at_the_edge_of_their_range_are_taken(changes: dict[str, Any]) -> None:
    config = train_config(**changes)

    assert {name: getattr(config, name) for name in changes} == changes


def test_no_failed_and_only_failed_images_can_both_be_allowed() -> None:
    assert score_config(max_failed_fraction=0.0).max_failed_fraction == 0
    assert score_config(max_failed_fraction=1.0).max_failed_fraction == 1


@pytest.mark.parametrize("config", [train_config(), score_config(), QuickstartConfig()])
def test_a_config_cannot_change_after_its_checks(config: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.output = "elsewhere"


def test_a_column_kept_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="--keep ra ra: names a column twice"):
        ScoreConfig(catalog="c", model="m", output="o", keep=("ra", "ra"))


@pytest.mark.parametrize("engine", ["litert-int8", "litert-float"])
def test_a_cpu_engine_on_gpus_is_refused(engine: str) -> None:
    with pytest.raises(ConfigError, match=f"--engine {engine}: .*CPUs only; .*keras"):
        score_config(engine=engine, device="gpu")


@pytest.mark.parametrize("config", [train_config, score_config])
@pytest.mark.parametrize("url", ["localhost:9000", "ftp://store", "http://", "store"])
def test_an_endpoint_without_http_is_refused(config: Any, url: str) -> None:
    with pytest.raises(ConfigError, match=f"--s3-endpoint-url {url}: .*http://host"):
        config(s3_endpoint_url=url)


@pytest.mark.parametrize("scheme", ["https://", "s3://", ""])
def test_a_secret_in_an_endpoint_is_refused_and_not_repeated(scheme: str) -> None:
    with pytest.raises(ConfigError, match="AWS_SECRET_ACCESS_KEY") as caught:
        score_config(s3_endpoint_url=f"{scheme}user:hidden@store")

    assert "hidden" not in str(caught.value)


def test_an_endpoint_with_a_port_is_taken() -> None:
    url = "http://127.0.0.1:9000"

    assert train_config(s3_endpoint_url=url).s3_endpoint_url == url


@pytest.mark.parametrize("config", [train_config, score_config])
@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("fits_bands", ("r", "g"), r"--fits-bands r g: name one band or three\."),
        ("fits_stretch", 0.0, r"--fits-stretch 0\.0: must be above 0\."),
        ("fits_stretch", float("inf"), r"--fits-stretch inf: must be above 0\."),
        ("fits_q", -8.0, r"--fits-q -8\.0: must be above 0\."),
        ("fits_q", float("nan"), r"--fits-q nan: must be above 0\."),
        ("allow_image_prefix", ("images",), r"--allow-image-prefix images: .*absolute"),
        ("allow_image_prefix", ("s3://",), r"--allow-image-prefix s3://: must be .*"),
        ("allow_image_prefix", ("http://a",), r"--allow-image-prefix http://a: must"),
    ],
)
def test_flags_of_images_are_checked_in_training_and_in_scoring(
    config: Callable[..., Any], flag: str, value: object, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**{flag: value})


@pytest.mark.parametrize("config", [train_config, score_config])
def test_folders_on_disk_and_in_a_store_may_be_allowed(
    config: Callable[..., Any],
) -> None:
    prefixes = ("/disk/images", "s3://bucket", "s3://bucket/cutouts/")

    assert config(allow_image_prefix=prefixes).allow_image_prefix == prefixes


def test_the_decode_rule_is_made_of_the_flags_of_training() -> None:
    config = train_config(
        image_size=64,
        crop_fraction=0.5,
        fits_bands=("i", "r", "g"),
        fits_stretch=0.1,
        fits_q=8.0,
    )

    assert config.decode_rule == DecodeRule(64, 0.5, ("i", "r", "g"), 0.1, 8.0)
    assert train_config().decode_rule == DecodeRule(224)
