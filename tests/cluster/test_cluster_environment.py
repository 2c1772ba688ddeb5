"""A cluster's workers reach the object store that the driver reaches."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_environment import VARIABLES

SCRIPT = Path(__file__).parents[1] / "support/cluster_environment.py"


@pytest.mark.slow
@pytest.mark.faults  # a cluster of its own
def test_a_clusters_workers_get_the_drivers_keys_and_nothing_gives_them_away() -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "RAY_"))
    }
    environment["PYTHONPATH"] = str(SCRIPT.parents[1])

    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["seen"] == VARIABLES
    assert found["told_by"] == []
    assert VARIABLES["AWS_SECRET_ACCESS_KEY"] not in done.stderr
