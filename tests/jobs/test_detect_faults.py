"""``jobs.detect`` loses an actor, then all of itself; every tile comes out once."""

import os
import signal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from job_process import JobProcess

from galaxy_models.config import DetectConfig
from galaxy_models.detection import detect
from galaxy_models.simulation import WideSky, write_frames

pytestmark = [pytest.mark.slow, pytest.mark.faults]

NUM_FRAMES = 12
SKY = WideSky(num_galaxies=40, num_stars=40)


def test_a_job_that_is_killed_is_resumed_and_writes_the_same_bytes(
    tmp_path: Path,
) -> None:
    frames = write_frames(
        tmp_path / "frames", NUM_FRAMES, width=512, height=512, sky=SKY,
        formats=("fits",),
    )  # fmt: skip
    settings: dict[str, Any] = {
        "images": str(frames.images("fits")),
        "tile_size": 256,
        "tiles_per_file": 8,
    }
    output, undisturbed = tmp_path / "out", tmp_path / "undisturbed"
    detect(DetectConfig(output=str(undisturbed), plan="local", **settings))
    flags = [
        *("--images", settings["images"], "--output", str(output), "--plan", "ray"),
        *("--tile-size", "256", "--tiles-per-file", "8", "--num-workers", "2"),
    ]

    job = JobProcess("jobs.detect", flags, tmp_path / "first.log")
    job.wait_until(lambda: any(output.glob("part-*.parquet")))
    for actor in job.pids("ray::MapWorker")[:1]:
        os.kill(actor, signal.SIGKILL)
    job.wait_until(lambda: len(list(output.glob("part-*.parquet"))) >= 2)
    job.kill()
    kept = len(list(output.glob("part-*.parquet")))
    assert kept < 6
    job = JobProcess("jobs.detect", flags, tmp_path / "second.log")

    assert job.exit_code() == 0, job.log
    assert "it is resumed" in job.log
    expected = {path.name: path.read_bytes() for path in undisturbed.glob("*.parquet")}
    found = {path.name: path.read_bytes() for path in output.glob("*.parquet")}
    assert found == expected
    assert len(found) == 6
    assert pd.read_parquet(output)["object_id"].is_unique
