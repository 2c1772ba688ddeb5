"""The command galaxy-batch: its subcommands are the jobs, with one parser."""

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from galaxy_models.cli import main as command
from galaxy_models.cli.flags import flags_by_theme
from galaxy_models.config import ScoreConfig

NEEDED = ["--catalog", "a.csv", "--model", "m", "--output", "o"]


def run(*arguments: str) -> int:
    return command.main(list(arguments))


def test_help_lists_every_command_with_what_it_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("--help") == 0
    text = capsys.readouterr().out
    for name in command.JOB_NAMES:
        assert f"\n  {name} " in text
    assert "Predict the class of every galaxy of a catalog" in text
    run()
    assert capsys.readouterr().out == text


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"galaxy-batch {version('galaxy-batch')}\n"


def test_a_command_and_its_module_have_the_same_help_but_for_the_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    texts = []
    for program in ("galaxy-batch score", None):  # None: as jobs/score.py does
        with pytest.raises(SystemExit) as end:
            command.load_job("score").main(["--help"], program)
        assert end.value.code == 0
        texts.append(capsys.readouterr().out)
    name, other = "galaxy-batch score", "python -m jobs.score"
    assert texts[0] == texts[1].replace(f"usage: {other}", f"usage: {name}")


def test_help_groups_every_flag_by_theme(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("score", "--help")
    text = capsys.readouterr().out
    needed = "--catalog CATALOG --model MODEL --output OUTPUT"
    assert text.startswith(f"usage: galaxy-batch score {needed} [flags]\n\nPredict the")
    for theme, flags in flags_by_theme(ScoreConfig).items():
        _, _, section = text.partition(f"\n{theme}:\n")
        section = section.partition("\n\n")[0]
        for flag in flags:
            assert f"\n  {flag.name}" in f"\n{section}"
    assert "--plan {auto,local,fused,two-stage}\n" in text
    assert "  --overwrite\n" in text


def test_flags_reach_the_job_and_refusals_come_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("score", *NEEDED, "--batch-size", "0") == 2
    printed = capsys.readouterr()
    assert printed.err == "error: --batch-size 0: must be auto or at least 1.\n"
    assert '"job": "jobs.score", "status": "refused"' in printed.out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["scor"], "there is no command 'scor'; did you mean score?"),
        (["xyz"], "there is no command 'xyz'; galaxy-batch --help lists them."),
        (["completion"], "completion: name a shell: bash, zsh, tcsh."),
        (["completion", "fish"], "completion: name a shell: bash, zsh, tcsh."),
    ],
)
def test_what_is_no_command_is_refused(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    assert capsys.readouterr().err == f"error: {line}\n"


def test_bash_completes_commands_flags_and_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("completion", "bash") == 0
    script = tmp_path / "completion"
    script.write_text(capsys.readouterr().out)

    def completed(*words: str) -> set[str]:
        line = " ".join(f"'{word}'" for word in ("galaxy-batch", *words))
        program = (
            f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; "
            "_tyro_galaxy_batch; printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        done = subprocess.run(
            ["bash", "-c", program], capture_output=True, text=True, check=True
        )
        return set(done.stdout.split())

    assert completed("sc") == {"score"}
    assert "--previous" in completed("score", "--pre")
    assert completed("score", "--tta", "fl") == {"flips"}
