"""What Prometheus reads of a job while it runs, from a real Ray."""

from pathlib import Path

import pandas as pd
import pytest
from prometheus import samples_of

from galaxy_models.cluster.metrics import JobMetrics, job_metrics
from galaxy_models.config import ScoreConfig
from galaxy_models.scoring import score
from galaxy_models.simulation import Survey

pytestmark = pytest.mark.slow


def test_rows_failures_and_seconds_of_a_scoring(
    ray_here: None, labelled: Survey, model_folder: str, tmp_path: Path
) -> None:
    output = str(tmp_path / "scored")
    catalog = str(labelled.catalog)
    score(ScoreConfig(catalog=catalog, model=model_folder, output=output, plan="fused"))
    rows = "ray_galaxy_batch_score_rows_total"
    found = samples_of(output, lambda found: found.get((rows, "")) == 120)
    assert found[("ray_galaxy_batch_score_rows_to_do", "")] == 120
    table = pd.read_parquet(output)
    reasons = table["error"].dropna().str.partition(":")[0].value_counts().to_dict()
    failures = {
        reason: number
        for (name, reason), number in found.items()
        if name == "ray_galaxy_batch_score_failures_total"
    }
    assert failures == reasons
    assert sum(failures.values()) == 1
    seconds = {
        stage: number
        for (name, stage), number in found.items()
        if name == "ray_galaxy_batch_score_seconds_total"
    }
    assert set(seconds) == {"reading", "decoding", "predicting", "writing"}
    assert all(0 < number < 600 for number in seconds.values())


@pytest.mark.faults  # Ray's reports come every 10 s: it waits for several
def test_a_gauge_stands_longer_than_ray_keeps_one(ray_here: None) -> None:
    epoch = "ray_galaxy_batch_train_epoch", ""
    with job_metrics("an output") as metrics:
        metrics.set("train_epoch", 7)
        JobMetrics("set once").set("train_epoch", 7)
        for output in ("an output", "set once"):
            samples_of(output, lambda found: found.get(epoch) == 7)
        samples_of("set once", lambda found: not found)  # Ray has dropped it

        assert samples_of("an output", lambda _: True) == {epoch: 7}
