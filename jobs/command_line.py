"""From flags to an exit code, the same way for every job.

Exit codes: 0 done; 1 the work began and failed; 2 the job was refused before any work
began; 130 interrupted (Ctrl-C); 143 stopped (SIGTERM). Logs go to stderr; the last line
on stdout is a summary in JSON.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import tyro

from galaxy_models.errors import GalaxyBatchError, InputError, without_password
from jobs.stop_signals import StopSignals
from jobs.summary import Summary


class JobConfig(Protocol):
    """What every job's configuration has."""

    @property
    def output(self) -> str:
        """Where its results go."""
        ...


Config = TypeVar("Config", bound=JobConfig)

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
) -> int:
    """Parse a job's flags, run it, report how it ended.

    Args:
        config_class: dataclass with a field for each flag.
        job: does the work; returns figures for the summary.
        description: text of ``--help``.
        arguments: the command line without the program; ``sys.argv`` if left out.
        remedy: how to resume after the job was stopped.

    Returns:
        The exit code.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
    )
    summary = Summary(_job_name())
    error = None
    with StopSignals(remedy, summary.line):
        try:
            config = parse(config_class, arguments, description)
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
) -> Config:
    """Parse flags into a configuration, as the job itself does.

    Args:
        config_class: dataclass with a field for each flag.
        arguments: the command line without the program; ``sys.argv`` if left out.
        description: text of ``--help``.

    Raises:
        SystemExit: 2 for flags that cannot be parsed, 0 after ``--help``.
        ConfigError: for a value that makes no sense.
    """
    return tyro.cli(
        config_class,
        prog=f"python -m {_job_name()}",
        args=arguments,
        description=description,
    )


def _job_name() -> str:
    """The module that is run, ``jobs.NAME``."""
    spec = sys.modules["__main__"].__spec__
    return spec.name if spec is not None else "jobs"
