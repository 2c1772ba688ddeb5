"""``--help`` and refusals of flags come before Ray, Arrow and the like are imported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.reference import JOBS

ROOT = Path(__file__).parents[2]
HEAVY = {"astropy", "keras", "matplotlib", "pandas", "pyarrow", "ray", "tensorflow"}
SCRIPT = """
import json, runpy, sys
codes = []
for name, flags in json.loads(sys.argv[1]):
    sys.argv = [name, *flags]
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        codes.append(end.code)
sys.stderr.write(json.dumps([codes, sorted(sys.modules)]))
"""
"""Runs jobs with flags, one after another; then says how they ended, and what this
process has imported."""


@pytest.mark.parametrize(
    ("commands", "exit_code"),
    [
        ([(f"jobs.{job}", ["--help"]) for job in JOBS], 0),
        (
            [
                ("jobs.score", ["--catalog", "a", "--model", "m"]),
                ("jobs.train", ["--no-such-flag"]),
                ("jobs.quickstart", ["--epochs", "0"]),
            ],
            2,
        ),
    ],
    ids=["help", "refusals"],
)
def test_the_first_answer_needs_no_heavy_import(
    commands: list[tuple[str, list[str]]], exit_code: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(commands)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    codes, modules = json.loads(done.stderr.splitlines()[-1])
    assert codes == [exit_code] * len(commands)
    assert HEAVY.isdisjoint(modules), HEAVY.intersection(modules)
