"""From flags to an exit code and a line that people can act on."""

import json
import math
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from job_here import NEEDED, raising, run
from job_process import wait_until_gone

from galaxy_models.cli.summary import STATUSES
from galaxy_models.errors import (
    CatalogError,
    ConfigError,
    InputError,
    JobError,
    ModelFolderError,
    OutputError,
    PredictionsError,
    ResourceError,
    ScoringError,
    StorageError,
    StoreAccessError,
    TrainingError,
    UnreachableStoreError,
)


def summary(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The last line on stdout."""
    record = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(record) >= set(COMMON_KEYS)
    return dict(record)


COMMON_KEYS = ["job", "status", "exit_code", "output", "seconds", "error"]


def test_a_job_that_did_its_work_exits_with_0(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run() == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "error",
    [InputError, ConfigError, CatalogError, ModelFolderError, OutputError]
    + [PredictionsError, ResourceError, StoreAccessError, UnreachableStoreError],
)
def test_what_the_user_can_mend_exits_with_2_and_one_line(
    error: type[InputError], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(error("--catalog a.csv: no such file."))) == 2
    assert capsys.readouterr().err == "error: --catalog a.csv: no such file.\n"


@pytest.mark.parametrize("error", [JobError, TrainingError, ScoringError, StorageError])
def test_work_that_failed_exits_with_1_and_one_line(
    error: type[JobError], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(error("3 rows are missing."))) == 1
    assert capsys.readouterr().err == "error: 3 rows are missing.\n"


@pytest.mark.parametrize(
    ("number", "exit_code", "status", "line"),
    [
        (signal.SIGINT, 130, "interrupted", "interrupted; run it again"),
        (signal.SIGTERM, 143, "stopped", "stopped by SIGTERM; run it again"),
    ],
)
def test_a_signal_ends_a_job_and_its_children_and_says_how_to_go_on(
    number: signal.Signals, exit_code: int, status: str, line: str
) -> None:
    script = f"""
import subprocess, sys, time
from galaxy_models.config import ScoreConfig
from galaxy_models.cli.command_line import run_job
def job(config):
    print(subprocess.Popen(["sleep", "600"]).pid, flush=True)
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass
sys.exit(run_job(ScoreConfig, job, "", {NEEDED}, remedy="run it again"))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Ignored where the tests run in the background of a shell.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.send_signal(number)
    process.send_signal(number)
    out, err = process.communicate(timeout=240)
    assert process.returncode == exit_code
    assert err == f"{line}\n"
    record = json.loads(out)
    assert (record["status"], record["exit_code"]) == (status, exit_code)
    assert (record["output"], record["error"]) == ("predictions", line)
    wait_until_gone([child])


def test_the_last_line_of_stdout_sums_a_job_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = {"rows": 3, "accuracy": math.nan, "classes": {"spiral": math.inf}}
    assert run(lambda _: figures) == 0
    record = summary(capsys)
    assert list(record) == [*COMMON_KEYS, "rows", "accuracy", "classes"]
    assert (record["status"], record["exit_code"], record["error"]) == ("done", 0, None)
    assert record["output"] == "predictions"
    assert record["rows"] == 3
    assert record["accuracy"] is None
    assert record["classes"] == {"spiral": None}


@pytest.mark.parametrize(
    ("error", "status", "exit_code"),
    [(CatalogError, "refused", 2), (ScoringError, "failed", 1)],
)
def test_the_summary_says_why_a_job_did_not_do_its_work(
    error: Any, status: str, exit_code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    run(raising(error("no rows.")))
    record = summary(capsys)
    assert (record["status"], record["exit_code"]) == (status, exit_code)
    assert record["error"] == "no rows."


def test_a_bug_is_summed_up_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        run(raising(ZeroDivisionError("oh")))
    assert summary(capsys)["error"] == "ZeroDivisionError: oh"


def test_a_stores_fault_that_nothing_else_told_exits_with_1_and_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fault = OSError("When writing 'a': AWS Error SLOW_DOWN during PutObject")

    assert run(raising(fault)) == 1
    line = capsys.readouterr().err
    assert "'a': AWS Error SLOW_DOWN during PutObject; when the store is well" in line
    assert line.count("\n") == 1


@pytest.mark.parametrize("bug", [ZeroDivisionError(), OSError("no such device")])
def test_a_bug_keeps_its_traceback(bug: Exception) -> None:
    with pytest.raises(type(bug)):
        run(raising(bug))


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("no s3://bucket/me@home.jpg", "no s3://bucket/me@home.jpg"),
        ("at http://me:pass@host and http://you@host", "at http://…@host and "),
    ],
)
def test_an_error_shows_uris_without_their_passwords(
    told: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(raising(JobError(told)))
    assert shown in capsys.readouterr().err


def test_the_reference_names_the_keys_of_the_summary_and_the_exit_codes() -> None:
    readme = (Path(__file__).parents[2] / "jobs" / "README.md").read_text()
    statuses = ", ".join(f"`{status}`" for status in list(STATUSES.values())[:-1])
    codes = ", ".join(str(code) for code in STATUSES)
    assert f"{statuses} or `{STATUSES[143]}`, as the exit codes {codes} |" in readme
    assert [key for key in COMMON_KEYS if f"| `{key}` | all |" not in readme] == []
