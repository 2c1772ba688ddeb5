"""Flags reach the job, or are refused in a line; their help is the config's."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest
from job_here import NEEDED, raising, run

from galaxy_models.cli.command_line import parse, run_job
from galaxy_models.config import QuickstartConfig, ScoreConfig, TrainConfig
from galaxy_models.errors import ConfigError
from galaxy_models.images.decode import DecodeRule
from galaxy_models.models.card import ModelCard, hash_model
from galaxy_models.models.folder import write_card
from galaxy_models.scoring import score
from galaxy_models.simulation import Survey


def receiver() -> tuple[list[ScoreConfig], Any]:
    """A list, and a job that puts its configuration there."""
    received: list[ScoreConfig] = []

    def job(config: ScoreConfig) -> dict[str, Any]:
        received.append(config)
        return {}

    return received, job


def test_flags_arrive_in_the_config() -> None:
    received, job = receiver()
    flags = ["--keep", "ra", "dec", "--num-workers", "3", "--overwrite"]

    run(job, [*NEEDED, *flags])

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


@pytest.mark.parametrize("second", ["--keep", "--keep=dec"])
def test_a_list_in_pieces_is_refused_for_the_last_would_be_all_of_it(
    second: str,
) -> None:
    with pytest.raises(ConfigError, match=r"--keep: is given 2 times.* behind one"):
        parse(ScoreConfig, [*NEEDED, "--keep", "ra", second, "dec"])


def test_flags_can_be_parsed_without_running_the_job() -> None:
    assert parse(ScoreConfig, NEEDED) == ScoreConfig(
        catalog="a.csv", model="model", output="predictions"
    )


def test_the_command_line_is_read_where_no_arguments_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["jobs.score", *NEEDED])
    received, job = receiver()

    assert run_job(ScoreConfig, job, None, remedy="run it again") == 0
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

    assert "Initial learning rate of Adam." in capsys.readouterr().out


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
