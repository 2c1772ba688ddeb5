"""``jobs.score`` on a long catalog, to be lost in the middle; and what it left."""

import contextlib
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from job_process import JobProcess

NUM_ROWS = 21_600
ROWS_PER_FILE = 3_000
ROWS_PER_CHUNK = 100
NUM_ACTORS = 2
ROWS_PER_FAILED = 120


def score_flags(
    catalog: Path, model: str, output: Path, *flags: str, plan: str = "local"
) -> list[str]:
    """Flags of ``jobs.score`` for small chunks and files.

    Args:
        catalog: of ``NUM_ROWS`` galaxies.
        model: a model folder.
        output: folder of the predictions.
        flags: further flags.
        plan: where galaxies are predicted.
    """
    return [
        *("--catalog", str(catalog), "--model", model, "--output", str(output)),
        *("--plan", plan),
        *("--rows-per-file", str(ROWS_PER_FILE), "--progress-interval-s", "1"),
        *("--rows-per-chunk", str(ROWS_PER_CHUNK)),
        *("--num-workers", str(NUM_ACTORS), *flags),
    ]


class ScoreJob(JobProcess):
    """``jobs.score`` with ``score_flags``, on Ray if nothing else is said.

    Args:
        catalog: see there, as of ``model``, ``flags`` and ``plan``.
        output: folder of the predictions.
        logs: folder for what it says; beside the output if left out.
        environment: variables beside this process's.
    """

    def __init__(
        self,
        catalog: Path,
        model: str,
        output: Path,
        *flags: str,
        plan: str = "fused",
        logs: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        settings = score_flags(catalog, model, output, *flags, plan=plan)
        log = (logs or output.parent) / f"{output.name}-{time.monotonic_ns()}.log"
        super().__init__("jobs.score", settings, log, environment)

    def wait_for_rows(self, output: Path, at_least: int = 1) -> None:
        """Wait until so many are written."""
        self.wait_until(lambda: num_kept(output) >= at_least)

    def actor_pids(self) -> list[int]:
        """The processes that predict."""
        return self.pids("ray::MapWorker") or self.pids("ray::_MapWorker")

    def num_done(self) -> int:
        """Rows that it says are done; those that it predicted twice count twice."""
        told = re.findall(r"(\d+) of \d+ rows \(", self.log)
        return max(map(int, told), default=0)


def read_ids(output: Path) -> pd.Series:
    """What a reader finds, whatever the job is doing meanwhile."""
    if not any(output.glob("*.parquet")):
        return pd.Series([], dtype="int64")
    return pd.read_parquet(output)["object_id"]


def num_kept(output: Path) -> int:
    """Rows that are written, in files or in chunks."""
    return ROWS_PER_CHUNK * len(_kept_chunks(output))


def _kept_chunks(output: Path) -> set[int]:
    """The numbers of the chunks, also of those that are in both."""
    per_file = ROWS_PER_FILE // ROWS_PER_CHUNK
    kept: set[int] = set()
    for path in output.glob("part-*.parquet"):
        file = int(path.stem.removeprefix("part-"))
        end = min((file + 1) * per_file, NUM_ROWS // ROWS_PER_CHUNK)
        kept.update(range(file * per_file, end))
    with contextlib.suppress(FileNotFoundError):  # a folder goes when its file is made
        for path in output.glob("_chunks/*/*.parquet"):
            kept.add(int(path.stem))
    return kept


def assert_whole(output: Path, num_rows: int = NUM_ROWS) -> dict[str, Any]:
    """Count every id of a finished scoring; give its record."""
    table = pd.read_parquet(output)
    assert sorted(table["object_id"]) == list(range(num_rows))
    assert (table["status"] == "failed").sum() == num_rows // ROWS_PER_FAILED
    names = {path.name for path in output.iterdir() if path.suffix != ".parquet"}
    assert names == {"_run.json"}
    return dict(json.loads((output / "_run.json").read_text()))
