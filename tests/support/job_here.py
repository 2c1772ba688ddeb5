"""A job in this process: from flags to an exit code, without what it would do."""

from typing import Any

from galaxy_models.cli.command_line import run_job
from galaxy_models.config import ScoreConfig

NEEDED = ["--catalog", "a.csv", "--model", "model", "--output", "predictions"]


def nothing(_: object) -> dict[str, Any]:
    return {}


def run(
    job: Any = nothing, arguments: list[str] = NEEDED, config: Any = ScoreConfig
) -> int:
    return run_job(config, job, "What this job does.", arguments, remedy="run it again")


def raising(error: BaseException) -> Any:
    def job(_: object) -> None:
        raise error

    return job
