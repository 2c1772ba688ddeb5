"""From flags to an exit code and a line that people can act on."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from galaxy_models.config import QuickstartConfig, ScoreConfig, TrainConfig
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
from galaxy_models.images import DecodeRule
from galaxy_models.model_folder import ModelCard, hash_model, write_card
from galaxy_models.scoring import score
from galaxy_models.simulation import Survey
from jobs.command_line import parse, run_job

NEEDED = ["--catalog", "a.csv", "--model", "model", "--output", "predictions"]


def run(
    job: Any = lambda _: None, arguments: list[str] = NEEDED, config: Any = ScoreConfig
) -> int:
    return run_job(config, job, "What this job does.", arguments)


def raising(error: BaseException) -> Any:
    def job(_: object) -> None:
        raise error

    return job


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


def test_an_interrupted_job_exits_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "interrupted\n"


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


def test_flags_arrive_in_the_config() -> None:
    received: list[ScoreConfig] = []
    flags = ["--keep", "ra", "dec", "--num-workers", "3", "--overwrite"]

    run(received.append, [*NEEDED, *flags])

    assert received == [
        ScoreConfig(
            catalog="a.csv",
            model="model",
            output="predictions",
            keep=("ra", "dec"),
            num_workers=3,
            overwrite=True,
        )
    ]


def test_flags_can_be_parsed_without_running_the_job() -> None:
    assert parse(ScoreConfig, NEEDED) == ScoreConfig(
        catalog="a.csv", model="model", output="predictions"
    )


def test_the_command_line_is_read_where_no_arguments_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["jobs.score", *NEEDED])
    received: list[ScoreConfig] = []

    assert run_job(ScoreConfig, received.append, None) == 0
    assert received[0].catalog == "a.csv"


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--batch-size", "0"], "error: --batch-size 0: must be auto or at least 1.\n"),
        (
            ["--max-failed-fraction", "2"],
            "error: --max-failed-fraction 2.0: must lie from 0 to 1.\n",
        ),
        (
            ["--num-workers", "0"],
            "error: --num-workers 0: must be auto or at least 1.\n",
        ),
    ],
)
def test_a_value_out_of_range_exits_with_2_before_the_job(
    flags: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(AssertionError("the job ran")), [*NEEDED, *flags]) == 2
    assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (NEEDED[:4], "--output"),
        ([*NEEDED, "--batch-size", "many"], "--batch-size"),
        ([*NEEDED, "--bach-size", "32"], "--batch-size"),
    ],
    ids=["missing flag", "no number", "misspelt flag"],
)
def test_flags_that_cannot_be_parsed_exit_with_2_and_name_the_flag(
    arguments: list[str], shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run(raising(AssertionError("the job ran")), arguments)

    assert caught.value.code == 2
    assert shown in capsys.readouterr().err


@pytest.mark.parametrize("config", [TrainConfig, ScoreConfig, QuickstartConfig])
def test_help_lists_every_flag_with_its_sentence(
    config: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run(arguments=["--help"], config=config)

    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "What this job does." in text
    for field in dataclasses.fields(config):
        assert f"--{field.name.replace('_', '-')}" in text


def test_help_explains_a_flag_in_the_words_of_the_config(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        run(arguments=["--help"], config=TrainConfig)

    assert "Adam's first learning rate." in capsys.readouterr().out


@pytest.mark.parametrize(
    "flags",
    [
        ["--catalog", "s3://key:hid/den@bucket/a.csv"],
        ["--catalog", "https://somebody:hid/den@host/a.csv"],
        ["--output", "s3://key:hid/den@bucket/predictions"],
        ["--model", "s3://hidden@bucket/model"],
        ["--image-root", "s3://key:hid/den@bucket"],
        ["--allow-image-prefix", "https://somebody:hid/den@host/images"],
        ["--s3-endpoint-url", "somebody:hid/den@host:9000"],
    ],
    ids=lambda flags: " ".join(flags),
)
def test_a_password_in_a_flag_is_refused_and_not_repeated(
    flags: list[str],
    labelled: Survey,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = {
        "--catalog": str(labelled.catalog),
        "--output": str(tmp_path / "predictions"),
        "--model": str(tmp_path / "model"),
    } | dict([flags])
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.keras").write_bytes(b"")
    card = ModelCard("lenet5", ("a", "b"), DecodeRule(32), hash_model(b""))
    write_card(str(tmp_path / "model"), card)

    code = run(score, [word for flag in arguments.items() for word in flag])

    told = capsys.readouterr().err
    assert code == 2, told
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert "hid" not in told
    assert not (tmp_path / "predictions").exists()


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
