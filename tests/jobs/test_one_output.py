"""Two jobs at one output: the second is refused with who holds it, and does nothing."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from galaxy_models.cli import score, train
from galaxy_models.cli.command_line import run_job
from galaxy_models.config import ScoreConfig, TrainConfig
from galaxy_models.storage.output_lease import hold

CATALOG = ["--catalog", "catalog.parquet"]


@pytest.mark.parametrize(
    ("config", "job", "flags"),
    [
        (ScoreConfig, score.score_catalog, [*CATALOG, "--model", "galaxy-zoo"]),
        (TrainConfig, train.train, CATALOG),
    ],
    ids=["score", "train"],
)
@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]], ids=["", "overwrite"])
def test_a_job_whose_output_another_one_holds_exits_with_2(
    config: Any,
    job: Any,
    flags: list[str],
    overwrite: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "output"
    with hold(str(output)):
        held = {path: path.read_bytes() for path in output.iterdir()}
        arguments = [*flags, "--output", str(output), *overwrite]
        assert run_job(config, job, None, arguments, remedy="run it again") == 2
        assert {path: path.read_bytes() for path in output.iterdir()} == held

    summary = json.loads(capsys.readouterr().out)
    assert summary["status"] == "refused"
    assert (
        f"--output {output} is held by process {os.getpid()} on host "
        f"{socket.gethostname()}, since 20"
    ) in summary["error"]
    assert "wait for it, or name another folder" in summary["error"]
