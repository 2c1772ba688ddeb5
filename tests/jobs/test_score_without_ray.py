"""``jobs.score`` of a small catalog, as a command: no Ray, no TensorFlow, all told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from galaxy_models.simulation import Survey

ROOT = Path(__file__).parents[2]
HEAVY = {"astropy", "keras", "matplotlib", "ray", "tensorflow"}
SCRIPT = """
import json, runpy, sys
try:
    runpy.run_module("jobs.score", run_name="__main__", alter_sys=True)
finally:
    print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.slow
def test_a_small_catalog_is_scored_without_ray(
    labelled: Survey, tmp_path: Path
) -> None:
    output = tmp_path / "predictions"
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}

    done = subprocess.run(
        [
            *(sys.executable, "-c", SCRIPT, "--catalog", str(labelled.catalog)),
            *("--model", "galaxy-zoo", "--output", str(output)),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    *_, summary, modules = map(json.loads, done.stdout.splitlines())
    assert HEAVY.isdisjoint(modules), HEAVY.intersection(modules)
    assert (summary["status"], summary["rows"], summary["failed"]) == ("done", 120, 1)
    first, last = done.stderr.splitlines()  # and not a word of LiteRT's
    assert "scoring 120 of 120 galaxies: " in first
    assert "litert-int8 thread(s) of this process" in first
    assert f"{output}: 120 rows, 1 failed" in last
    table = pd.read_parquet(output)
    assert len(table) == table["object_id"].nunique() == 120
    assert {path.name for path in output.iterdir()} == {
        "part-000000.parquet",
        "_run.json",
    }
