"""A chunk that a power cut emptied is predicted again; the scoring ends whole."""

import dataclasses
import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from unlabelled_survey import NUM_UNLABELLED, config_for

from galaxy_models.chunks.ledger import Ledger
from galaxy_models.scoring import pipeline, score
from galaxy_models.simulation import Survey

pytestmark = pytest.mark.slow

ROWS_PER_FILE = 50
ROWS_PER_CHUNK = 20


@pytest.mark.parametrize("plan", ["local", "fused"])
def test_an_empty_chunk_is_predicted_again_when_its_file_is_made(
    ray_here: None,
    plan: Any,
    unlabelled: Survey,
    model_folder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    output = tmp_path / "out"
    config = config_for(
        unlabelled,
        model_folder,
        output,
        plan="local",
        rows_per_file=ROWS_PER_FILE,
        rows_per_chunk=ROWS_PER_CHUNK,
    )
    with monkeypatch.context() as crash:
        crash.delattr(pipeline, "record_run")  # it dies with all rows written
        with pytest.raises(NameError):
            score(config)
    expected = pd.read_parquet(output)
    ledger = Ledger(str(output), NUM_UNLABELLED, ROWS_PER_CHUNK, ROWS_PER_FILE)
    Path(ledger.file_uri(1)).unlink()
    for chunk in ledger.chunks_of(1):  # names that the disk kept, without their bytes
        Path(ledger.chunk_uri(chunk)).parent.mkdir(parents=True, exist_ok=True)
        Path(ledger.chunk_uri(chunk)).touch()

    with caplog.at_level(logging.WARNING):
        record = score(dataclasses.replace(config, plan=plan))

    assert "chunk 3 cannot be read: it is done again" in caplog.text
    assert record.num_rows_this_run == NUM_UNLABELLED - ROWS_PER_FILE
    pd.testing.assert_frame_equal(pd.read_parquet(output), expected)
