"""Training on more galaxies than Ray's object store holds."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from catalog_files import repeated
from job_process import ROOT

from galaxy_models.models.folder import read_card
from galaxy_models.simulation import Survey

pytestmark = [pytest.mark.slow, pytest.mark.faults]

SMALL_STORE_BYTES = 80 * 2**20  # nearly the least that Ray takes
TRAIN_IN_A_SMALL_STORE = """
import sys
import ray
from galaxy_models.config import TrainConfig
from galaxy_models.training import fit

catalog, output, store_bytes = sys.argv[1:]
ray.init(address="local", num_cpus=2, object_store_memory=int(store_bytes),
         include_dashboard=False, log_to_driver=False)
fit(TrainConfig(catalog=catalog, output=output, network="lenet5", image_size=160,
                epochs=2, validation_fraction=0.1, num_workers=2))
"""


def test_galaxies_that_exceed_the_object_store_spill_to_disk(
    labelled: Survey, tmp_path: Path
) -> None:
    table = repeated(labelled, 2400)
    table.to_csv(tmp_path / "catalog.csv", index=False)
    assert len(table) * 3 * 160**2 > 2 * SMALL_STORE_BYTES
    output = tmp_path / "model"
    command = [sys.executable, "-c", TRAIN_IN_A_SMALL_STORE]
    command += [str(tmp_path / "catalog.csv"), str(output), str(SMALL_STORE_BYTES)]
    finished = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    data = read_card(str(output)).data
    assert data["left_out"] == 20
    assert len(pd.read_csv(output / "history.csv")) == 2
