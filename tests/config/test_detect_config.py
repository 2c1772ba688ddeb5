"""Flags of ``jobs.detect`` that make no sense are refused before any work begins."""

from typing import Any

import pytest

from galaxy_models.config import DetectConfig
from galaxy_models.errors import ConfigError


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        (
            "tile_size",
            100,
            r"--tile-size 100: must be a multiple of 128 from 128 to 819",
        ),
        ("tile_size", 0, r"--tile-size 0: must be a multiple of 128"),
        ("tiles_per_file", 0, r"--tiles-per-file 0: must be at least 1\."),
        ("max_failed_fraction", 1.5, r"--max-failed-fraction 1\.5: must lie from 0 to"),
        ("progress_interval_s", 0, r"--progress-interval-s 0: must be above 0 seconds"),
        ("num_workers", 0, r"--num-workers 0: must be auto or at least 1\."),
        ("fits_bands", ("g", "r"), r"--fits-bands g r: name one band or three\."),
        ("fits_stretch", -1.0, r"--fits-stretch -1\.0: must be above 0\."),
        ("plan", "fused", r"--plan fused: choose one of auto, local, ray\."),
        ("allow_image_prefix", ("data",), r"--allow-image-prefix data: must be an abs"),
        ("s3_endpoint_url", "store", r"--s3-endpoint-url store: write it as http"),
    ],
)
def test_a_value_out_of_range_is_refused(flag: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DetectConfig(images="frames", output="detections", **{flag: value})


def test_keras_needs_ray() -> None:
    with pytest.raises(ConfigError, match="--plan local: it predicts with LiteRT"):
        DetectConfig(images="a", output="b", plan="local", engine="keras")
