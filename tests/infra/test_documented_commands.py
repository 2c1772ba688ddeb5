"""Commands that people copy are parsed by the jobs' own parser."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from infra_files import LAUNCHER, MANIFESTS, MODEL_SCRIPTS, ROOT, STARTERS, name

from galaxy_models.cli.command_line import parse
from jobs.reference import JOBS as CONFIGS

# Up to the end of the line, of the shell's command, or of the quotation it stands in.
COMMAND = re.compile(
    rf"(?:python3? -m jobs\.|galaxy-batch (?=(?:{'|'.join(CONFIGS)})\b))([a-z_]+)"
    r"([^\n;&|'\"`<>()#]*)"
)
# A line that goes on in the next one, also in a comment.
CONTINUED = re.compile(r"\\\n[ ]*#?")


def commands_in(text: str) -> list[tuple[str, str]]:
    """The jobs' commands of a script or of comments: job and flags."""
    return [
        (job, flags.strip()) for job, flags in COMMAND.findall(CONTINUED.sub("", text))
    ]


def commands_of_readme(path: Path) -> list[tuple[str, str]]:
    """What stands in blocks of shell, and between backticks if it has flags."""
    text = path.read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    inline = re.findall(r"`([^`\n]+ --[^`\n]+)`", text)
    return commands_in("\n".join([*blocks, *inline]))


def texts_of(tree: Any) -> list[str]:
    """All strings of a YAML file, unfolded."""
    if isinstance(tree, dict):
        return [text for value in tree.values() for text in texts_of(value)]
    if isinstance(tree, list):
        return [text for value in tree for text in texts_of(value)]
    return [tree] if isinstance(tree, str) else []


def commands_of(path: Path) -> list[tuple[str, str]]:
    text = path.read_text()
    if path.suffix != ".yaml":
        return commands_in(text)
    comments = "\n".join(re.findall(r"#.*", text))
    return commands_in("\n".join([comments, *texts_of(yaml.safe_load(text))]))


READMES = tuple(
    path
    for path in sorted(ROOT.rglob("README.md"))
    if not path.relative_to(ROOT).parts[0].startswith(".")
)
COMMANDS = [
    (name(path), *command) for path in READMES for command in commands_of_readme(path)
] + [
    (name(path), *command)
    for path in (*STARTERS, *MODEL_SCRIPTS)
    for command in commands_of(path)
]


def test_every_job_has_its_configuration_here() -> None:
    jobs = {
        path.stem
        for path in (ROOT / "jobs").glob("*.py")
        if "sys.exit(JOB.main())" in path.read_text()
    }
    assert jobs == set(CONFIGS)


@pytest.mark.parametrize(
    ("where", "job", "flags"), COMMANDS, ids=[" ".join(c) for c in COMMANDS]
)
def test_a_documented_command_is_one_that_its_job_takes(
    where: str, job: str, flags: str
) -> None:
    try:
        parse(CONFIGS[job], shlex.split(flags))
    except SystemExit:
        pytest.fail(f"{where}: {job} {flags}")


def test_commands_are_found_in_each_kind_of_file() -> None:
    places = {where for where, _, _ in COMMANDS}
    assert {"README.md", "jobs/README.md", "infra/README.md"} <= places
    assert {"infra/local/two_nodes.sh", name(LAUNCHER)} <= places
    assert set(map(name, MODEL_SCRIPTS)) <= places
    assert {name(path) for path in MANIFESTS} <= places
    entrypoints = [
        job for where, job, _ in COMMANDS if where == "infra/kuberay/train.yaml"
    ]
    assert entrypoints == ["train"]


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("x && python -m jobs.score --a b && y", [("score", "--a b")]),
        ("# python -m jobs.score --a \\\n#   b\nz", [("score", "--a    b")]),
        ("submit 'python -m jobs.train --a'", [("train", "--a")]),
        ("galaxy-batch score --a; galaxy-batch: a", [("score", "--a")]),
        ("python -m pytest", []),
    ],
)
def test_a_command_ends_where_the_shell_ends_it(
    text: str, commands: list[tuple[str, str]]
) -> None:
    assert commands_in(text) == commands
