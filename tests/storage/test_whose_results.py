"""Two kinds of jobs that name their results alike never replace each other's."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from galaxy_models.detection.request import OUTPUT as DETECTION
from galaxy_models.detection.run_record import RunRecord as DetectionRecord
from galaxy_models.errors import OutputError
from galaxy_models.scoring.request import OUTPUT as SCORING
from galaxy_models.scoring.run_file import RunRecord as ScoringRecord
from galaxy_models.storage.output_folder import OutputKind, check_output

RECORDS: dict[str, Any] = {"jobs.score": ScoringRecord, "jobs.detect": DetectionRecord}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(("own", "other"), [(SCORING, DETECTION), (DETECTION, SCORING)])
def test_another_jobs_results_are_refused_whatever_the_flags(
    own: OutputKind, other: OutputKind, overwrite: bool, tmp_path: Path
) -> None:
    names = [field.name for field in fields(RECORDS[other.job])]
    (tmp_path / "_run.json").write_text(json.dumps(dict.fromkeys(names)))
    with pytest.raises(OutputError, match=f"of another job than {own.job}; name a new"):
        check_output(str(tmp_path), own, overwrite)
    assert check_output(str(tmp_path), other, overwrite=True) == str(tmp_path)


@pytest.mark.parametrize("kind", [SCORING, DETECTION])
def test_a_damaged_record_may_be_replaced(kind: OutputKind, tmp_path: Path) -> None:
    (tmp_path / "_run.json").write_text("{")
    assert check_output(str(tmp_path), kind, overwrite=True) == str(tmp_path)
