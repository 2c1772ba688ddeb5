"""The script runs and writes figures; which ones is the machine's affair."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from galaxy_models.simulation import write_survey

SCRIPT = Path(__file__).with_name("store_throughput.py")


@pytest.mark.slow
def test_script_compares_disk_and_store_and_writes_figures(tmp_path: Path) -> None:
    """Of reading; how it times scoring is score_throughput.py's way, tested there."""
    write_survey(tmp_path / "survey", 20, image_size=48)
    figures = tmp_path / "figures.json"
    command = [sys.executable, str(SCRIPT), "--images", str(tmp_path / "survey")]
    command += ["--stages", "reading", "--rounds", "1", "--latencies-ms", "0", "1"]
    command += ["--num-reads", "40", "--num-readers", "2", "8", "--json", str(figures)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    measured = json.loads(figures.read_text())
    ways = [(one["place"], one["num_readers"]) for one in measured["reading"]]
    places = ("disk", "store", "pyarrow")
    assert ways == 2 * [(place, readers) for readers in (2, 8) for place in places]
    assert [one["latency_ms"] for one in measured["reading"]] == 6 * [0] + 6 * [1]
    assert all(one["images_per_s"] > 0 for one in measured["reading"])
    assert "images/s" in output
