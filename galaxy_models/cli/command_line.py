"""From flags to an exit code, the same way for every job.

Exit codes: 0 done; 1 the work began and failed; 2 the job was refused before any work
began; 130 interrupted (Ctrl-C); 143 stopped (SIGTERM). Logs go to stderr; the last line
on stdout is a summary in JSON.
"""

import dataclasses
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import tyro

from galaxy_models.cli.help import help_text
from galaxy_models.cli.stop_signals import StopSignals
from galaxy_models.cli.summary import Summary
from galaxy_models.errors import (
    ConfigError,
    GalaxyBatchError,
    InputError,
    without_password,
)


class JobConfig(Protocol):
    """What every job's configuration has."""

    @property
    def output(self) -> str:
        """Where its results go."""
        ...


Config = TypeVar("Config", bound=JobConfig)

PROGRAM = "galaxy-batch"
EXIT_OK = 0
EXIT_FAILED = 1
EXIT_BAD_INPUT = 2

RESUMES = "the same command resumes with what is left"


def run_job(
    config_class: type[Config],
    job: Callable[[Config], Mapping[str, Any]],
    description: str | None,
    arguments: list[str] | None = None,
    *,
    remedy: str,
    name: str = "",
    program: str = PROGRAM,
) -> int:
    """Parse a job's flags, run it, report how it ended.

    Args:
        config_class: dataclass with a field for each flag.
        job: does the work; returns figures for the summary.
        description: text of ``--help``.
        arguments: the command line without the program; ``sys.argv`` if left out.
        remedy: how to resume after the job was stopped.
        name: what the job is called, such as ``score``.
        program: what was typed before the flags, for messages.

    Returns:
        The exit code.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
    )
    summary = Summary(f"jobs.{name}")
    error = None
    with StopSignals(remedy, summary.line):
        try:
            config = parse(config_class, arguments, description, program)
            summary.output = without_password(config.output)
            summary.figures = job(config)
            exit_code = EXIT_OK
        except Exception as raised:
            verdict = _verdict(raised)
            if verdict is None:
                bug = f"{type(raised).__name__}: {raised}"
                sys.stdout.write(summary.line(EXIT_FAILED, bug))
                raise
            exit_code, error = verdict
            sys.stderr.write(f"error: {error}\n")
    sys.stdout.write(summary.line(exit_code, error))
    sys.stdout.flush()
    return exit_code


def _verdict(error: Exception) -> tuple[int, str] | None:
    """Choose the exit code and the message; None for a bug: it keeps its traceback."""
    message = without_password(str(error))
    if isinstance(error, InputError):
        return EXIT_BAD_INPUT, message
    if isinstance(error, GalaxyBatchError):
        return EXIT_FAILED, message
    if isinstance(error, OSError):
        from galaxy_models.storage import s3  # Arrow: neither --help nor refusals wait

        if s3.is_store_error(error):
            return EXIT_FAILED, f"{message}; {s3.RUN_AGAIN}"
    return None


def parse(
    config_class: type[Config],
    arguments: list[str] | None = None,
    description: str | None = None,
    program: str = PROGRAM,
) -> Config:
    """Parse flags into a configuration, as the job itself does.

    Args:
        config_class: dataclass with a field for each flag.
        arguments: the command line without the program; ``sys.argv`` if left out.
        description: text of ``--help``.
        program: what was typed before the flags, for messages.

    Raises:
        SystemExit: 2 for flags that cannot be parsed, 0 after ``--help``.
        ConfigError: for a value that makes no sense.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if not {"-h", "--help"}.isdisjoint(arguments):
        sys.stdout.write(help_text(config_class, program, description))
        raise SystemExit(EXIT_OK)
    _check_lists(config_class, arguments)
    return tyro.cli(config_class, prog=program, args=arguments)


def _check_lists(config_class: type, arguments: list[str]) -> None:
    """Refuse a list that is given in pieces: the last would silently be all of it."""
    given = [argument.partition("=")[0].replace("_", "-") for argument in arguments]
    for field in dataclasses.fields(config_class):
        flag = f"--{field.name.replace('_', '-')}"
        if isinstance(field.default, tuple) and given.count(flag) > 1:
            raise ConfigError(
                f"{flag}: is given {given.count(flag)} times; name all of its values "
                f"behind one {flag}."
            )


@dataclass(frozen=True)
class Job(Generic[Config]):
    """A command: flags in, one library call, an exit code out."""

    name: str
    """Such as ``score``: of ``galaxy-batch score`` and ``python -m jobs.score``."""

    config_class: type[Config]
    run: Callable[[Config], Mapping[str, Any]]
    """Does the work; returns figures for the summary."""

    description: str | None
    """Text of ``--help``; its first line says what the command does."""

    remedy: str
    """How to resume after the job was stopped."""

    def main(
        self, arguments: list[str] | None = None, program: str | None = None
    ) -> int:
        """Parse, run, report; the exit code.

        Args:
            arguments: the command line without the program; ``sys.argv`` if left out.
            program: what was typed before the flags; the module if left out.
        """
        return run_job(
            self.config_class,
            self.run,
            self.description,
            arguments,
            remedy=self.remedy,
            name=self.name,
            program=program or f"python -m jobs.{self.name}",
        )
