"""From flags to an exit code, the same way for every job.

Exit codes: 0 the job did its work; 1 it began and failed; 2 what it was told cannot
work (nothing was begun); 130 interrupted.
"""

import logging
import sys
from collections.abc import Callable
from typing import TypeVar

import tyro

from galaxy_models import object_store
from galaxy_models.errors import GalaxyBatchError, InputError, without_password

Config = TypeVar("Config")

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


def run_job(
    config_class: type[Config],
    job: Callable[[Config], None],
    description: str | None,
    arguments: list[str] | None = None,
) -> int:
    """Parse the flags of a job's configuration, run the job, report errors in a line.

    Args:
        config_class: dataclass that a flag is made of for each field.
        job: what to do with it.
        description: text of ``--help``.
        arguments: the command line without the program; ``sys.argv`` if left out.

    Returns:
        The exit code.
    """
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
    )
    try:
        job(parse(config_class, arguments, description))
    except GalaxyBatchError as error:
        sys.stderr.write(f"error: {without_password(str(error))}\n")
        return EXIT_BAD_INPUT if isinstance(error, InputError) else EXIT_FAILED
    except OSError as error:
        if not object_store.is_store_error(error):
            raise
        told = without_password(str(error))
        sys.stderr.write(f"error: {told}; {object_store.RUN_AGAIN}\n")
        return EXIT_FAILED
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return EXIT_INTERRUPTED
    return EXIT_OK


def parse(
    config_class: type[Config],
    arguments: list[str] | None = None,
    description: str | None = None,
) -> Config:
    """Make a configuration of flags, as the job itself does.

    Args:
        config_class: dataclass that a flag is made of for each field.
        arguments: the command line without the program; ``sys.argv`` if left out.
        description: text of ``--help``.

    Raises:
        SystemExit: 2 for flags that cannot be parsed, 0 after ``--help``.
        ConfigError: for a value that makes no sense.
    """
    return tyro.cli(
        config_class, prog=_program(), args=arguments, description=description
    )


def _program() -> str | None:
    """The command as people type it, ``python -m jobs.NAME``."""
    spec = sys.modules["__main__"].__spec__
    return f"python -m {spec.name}" if spec is not None else None
