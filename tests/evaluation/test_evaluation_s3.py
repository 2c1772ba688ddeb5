"""Predictions, labels, images and report may all lie in an object store."""

import json

import pytest
from prediction_files import write_survey_predictions

from galaxy_models import storage
from galaxy_models.config import EvaluateConfig
from galaxy_models.evaluation import evaluate
from galaxy_models.simulation import Survey

pytestmark = pytest.mark.slow


def test_a_store_serves_as_disks_do(
    s3_bucket: str, labelled: Survey, tmp_path_factory: pytest.TempPathFactory
) -> None:
    local = write_survey_predictions(tmp_path_factory.mktemp("s3") / "p", labelled)
    storage.copy_folder(str(local), f"{s3_bucket}/predictions")
    storage.copy_folder(str(labelled.catalog.parent), f"{s3_bucket}/survey")

    report = evaluate(
        EvaluateConfig(
            predictions=f"{s3_bucket}/predictions",
            labels=f"{s3_bucket}/survey/catalog.csv",
            output=f"{s3_bucket}/report",
            gallery_size=2,
        )
    )

    assert report.page == f"{s3_bucket}/report/report.html"
    assert b"data:image/jpeg" in storage.read_bytes(report.page)
    metrics = json.loads(storage.read_bytes(f"{s3_bucket}/report/metrics.json"))
    assert metrics["labelled"]["n"] == 119
    assert "_unfinished" not in storage.list_names(f"{s3_bucket}/report")
