"""A disk that fills up stops a scoring in a line; with room again it goes on."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from score_job import NUM_ROWS, ScoreJob, assert_whole, num_kept, read_ids

pytestmark = [pytest.mark.slow, pytest.mark.faults]

TOO_SMALL = "size=200k"  # a chunk takes two pages of 4 kB, and there are 216
LARGE_ENOUGH = "size=64m"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", TOO_SMALL, "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no command `mount` here")
    if mounted.returncode:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_is_named_in_a_line_and_with_room_again_no_row_is_lost(
    many_galaxies: Path, model_folder: str, small_disk: Path, tmp_path: Path
) -> None:
    output = small_disk / "out"
    job = ScoreJob(many_galaxies, model_folder, output, logs=tmp_path)

    assert job.exit_code() == 1, job.log
    *_, line, _summary = job.log.splitlines()
    assert line.startswith(f"error: the disk of {output}/")
    assert "is full (No space left on device); make room there, and run" in line
    assert "Traceback" not in job.log
    assert "Exception" not in job.log
    kept = num_kept(output)
    assert 0 < kept < NUM_ROWS
    assert read_ids(output).is_unique

    subprocess.run(
        ["mount", "-o", f"remount,{LARGE_ENOUGH}", str(small_disk)], check=True
    )
    job = ScoreJob(many_galaxies, model_folder, output, logs=tmp_path)

    assert job.exit_code() == 0, job.log
    assert assert_whole(output)["num_rows_this_run"] == NUM_ROWS - kept
