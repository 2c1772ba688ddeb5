"""The arithmetic of the figures; and what they come from, here without a GPU."""

from pathlib import Path

import gpu
import pytest
from contest import list_images
from gpu import Run


def test_start_up_falls_out_of_rate_and_waiting() -> None:
    short = Run(num_images=100, seconds=30.0, num_workers=2, waiting_s=29.0)
    long = Run(num_images=2100, seconds=40.0, num_workers=2, waiting_s=31.0)

    figures = gpu.compare(short, long, bare=125.0, num_gpus=2)

    assert figures.images_per_s == 200
    assert figures.waiting_share == 0.2
    assert figures.ratio == 0.8  # 100 images/s an actor


def test_runs_too_short_to_tell_apart_are_refused() -> None:
    run = Run(num_images=100, seconds=30.0, num_workers=1, waiting_s=29.0)
    with pytest.raises(SystemExit, match="--num-images is too small"):
        gpu.compare(run, run, bare=1.0, num_gpus=0)


@pytest.mark.faults
@pytest.mark.slow
def test_a_run_and_the_network_alone_are_measured_without_a_gpu(
    tmp_path: Path, model_folder: str
) -> None:
    images = list_images(None, tmp_path / "survey", 12, 48)

    run = gpu.score(images, model_folder, 16, False, tmp_path / "run")
    alone = gpu.predict_alone(images, model_folder, False)

    assert run.num_images == 16
    assert 0 <= run.waiting_s <= run.seconds
    assert run.num_workers >= 1
    assert alone > 0
