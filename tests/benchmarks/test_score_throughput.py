"""The script runs and writes figures; which ones is the machine's affair."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from galaxy_models.simulation import write_survey

SCRIPT = Path(__file__).with_name("score_throughput.py")
TIME_LIMIT_S = 400  # before pytest's own, which would not show what the script said


@pytest.mark.slow
@pytest.mark.parametrize(
    "contestant", ["floor", pytest.param("ours", marks=pytest.mark.faults)]
)
def test_script_times_a_contestant_and_writes_figures(
    contestant: str,
    model_folder: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    write_survey(tmp_path / "survey", 20, image_size=48)
    figures = tmp_path / "figures.json"
    command = [sys.executable, str(SCRIPT), "--images", str(tmp_path / "survey")]
    command += ["--model", model_folder, "--only", contestant, "--rounds", "1"]
    command += ["--seconds", "0.1", "--json", str(figures)]
    subprocess.run(command, check=True, timeout=TIME_LIMIT_S)
    rates = json.loads(figures.read_text())["images_per_s"]
    assert set(rates) == {contestant}
    assert rates[contestant] > 0
    assert "images/s" in capfd.readouterr().out
