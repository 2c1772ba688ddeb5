"""The README keeps up with the code."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from galaxy_models.config import (
    EvaluateConfig,
    QuickstartConfig,
    ScoreConfig,
    TrainConfig,
)
from galaxy_models.errors import FailureReason
from galaxy_models.tables.prediction_schema import PREDICTION_COLUMNS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CONFIGS = (TrainConfig, ScoreConfig, EvaluateConfig, QuickstartConfig)


def flag_rows(config: type) -> list[str]:
    rows = []
    for field in dataclasses.fields(config):
        default = field.default
        if default is dataclasses.MISSING:
            default = "required"
        elif default in (None, ()):
            default = "none"
        rows.append(f"| `--{field.name.replace('_', '-')}` | {default} |")
    return rows


@pytest.mark.parametrize("config", CONFIGS)
def test_readme_lists_every_flag_with_its_default(config: type) -> None:
    assert [row for row in flag_rows(config) if row not in README] == []


def test_readme_lists_no_flag_that_is_gone() -> None:
    known = {row for config in CONFIGS for row in flag_rows(config)}
    listed = set(re.findall(r"^\| `--[a-z0-9-]+` \| [^|]+ \|", README, re.MULTILINE))
    assert listed == known


def test_readme_lists_every_output_column() -> None:
    for column in PREDICTION_COLUMNS:
        assert f"| `{column.name}` |" in README


def test_readme_lists_every_reason_of_a_failed_row() -> None:
    assert [
        name for name in get_args(FailureReason) if f"| `{name}` |" not in README
    ] == []


def test_every_dependency_is_pinned() -> None:
    pins = (ROOT / "infra" / "constraints.txt").read_text().lower().replace("_", "-")
    project = (ROOT / "pyproject.toml").read_text()
    named = re.findall(r'^    "([a-z0-9-]+)(?:\[[^"]*)?[<>=]', project, re.MULTILINE)
    assert "tensorflow" in named
    assert "pytest" in named
    assert [name for name in named if f"\n{name}==" not in pins] == []


def test_readme_predicts_what_its_own_figures_say() -> None:
    script = ROOT / "tests" / "benchmarks" / "survey_scale.py"
    told = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True
    ).stdout
    assert told.count("\n") == 9
    assert f"| --- | --- |\n{told}" in README
