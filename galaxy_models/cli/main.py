"""The command ``galaxy-batch``: every job as a subcommand.

    galaxy-batch score --catalog cutouts --model galaxy-zoo --output predictions
    galaxy-batch --version
    galaxy-batch completion bash

Imports a job's module only when it is asked for, and no library that takes long before
its flags are accepted.
"""

import importlib
import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib.metadata import version
from typing import Any

import tyro

from galaxy_models.cli.command_line import EXIT_BAD_INPUT, EXIT_OK, PROGRAM, Job
from galaxy_models.cli.help import list_commands

JOB_NAMES = (
    "train",
    "embed",
    "score",
    "detect",
    "evaluate",
    "similar",
    "label_page",
    "votes",
    "hats",
    "quickstart",
)
DISTRIBUTION = "galaxy-batch"
COMPLETION = "completion"
SHELLS = ("bash", "zsh", "tcsh")
MORE = f"""
{PROGRAM} COMMAND --help  lists the flags of a command.
{PROGRAM} --version       says which version this is.
{PROGRAM} {COMPLETION} SHELL prints a script for {", ".join(SHELLS)}.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; the exit code."""
    name, *flags = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in JOB_NAMES:
        return load_job(name).main(flags, f"{PROGRAM} {name}")
    if name in ("-h", "--help"):
        commands = {name: _first_line(job) for name, job in load_jobs().items()}
        sys.stdout.write(list_commands(PROGRAM, commands, MORE))
        return EXIT_OK
    if name == "--version":
        sys.stdout.write(f"{PROGRAM} {version(DISTRIBUTION)}\n")
        return EXIT_OK
    if name == COMPLETION and len(flags) == 1 and flags[0] in SHELLS:
        return _complete(flags[0])
    sys.stderr.write(f"error: {_unknown(name)}\n")
    return EXIT_BAD_INPUT


def load_jobs() -> dict[str, Job[Any]]:
    """Import all commands, by their names."""
    return {name: load_job(name) for name in JOB_NAMES}


def load_job(name: str) -> Job[Any]:
    """Import a command."""
    module = importlib.import_module(f"galaxy_models.cli.{name}")
    job: Job[Any] = module.JOB
    return job


def _first_line(job: Job[Any]) -> str:
    return (job.description or "").partition("\n")[0]


def _complete(shell: str) -> int:
    """Print a script for a shell; the parser of all commands writes it."""
    configs: dict[str, Callable[..., Any]] = {
        name: job.config_class for name, job in load_jobs().items()
    }
    try:
        tyro.extras.subcommand_cli_from_dict(
            configs, prog=PROGRAM, args=["--tyro-print-completion", shell]
        )
    except SystemExit as end:
        return int(end.code or EXIT_OK)
    return EXIT_OK


def _unknown(name: str) -> str:
    """Say that there is no such command, and which may be meant."""
    if name == COMPLETION:
        return f"{COMPLETION}: name a shell: {', '.join(SHELLS)}."
    meant = get_close_matches(name, JOB_NAMES, n=1)
    hint = f"did you mean {meant[0]}?" if meant else f"{PROGRAM} --help lists them."
    return f"there is no command {name!r}; {hint}"
