"""The READMEs keep up with the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import galaxy_models as gm
from galaxy_models.cli.main import JOB_NAMES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
MAX_LINES = 170
MAX_BYTES = 12_000
PICTURES = ["jobs/gallery.jpg", "jobs/overlay.jpg"]
MAX_PICTURE_BYTES = 150_000


def test_readme_is_a_newcomers_page() -> None:
    assert README.count("\n") <= MAX_LINES
    assert len(README.encode()) <= MAX_BYTES


def test_readme_ends_its_test_command_where_ci_looks_for_it() -> None:
    (line,) = re.findall(r"^.* -m pytest$", README, re.MULTILINE)
    assert line.startswith("python3 -m venv .venv && ")


def test_readme_links_to_nothing_but_its_pictures() -> None:
    """A relative link is broken where the page is the package's description."""
    targets = re.findall(r"\]\(([^)]+)\)", README)
    assert [one for one in targets if not one.startswith("https://")] == PICTURES
    assert max((ROOT / one).stat().st_size for one in PICTURES) <= MAX_PICTURE_BYTES


def test_every_path_that_readme_names_exists() -> None:
    named = re.findall(r"`([a-z_]+/[\w./-]*|[A-Z]+\.md)`", README)
    made = ("quickstart/", "found/", "report/", "predictions/")
    paths = [path for path in named if not path.startswith(made)]
    assert "jobs/README.md" in paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("folder", ["jobs", "infra", "galaxy_models", "tests"])
def test_readme_maps_the_readme_of_each_room(folder: str) -> None:
    assert f"| `{folder}/README.md` |" in README


def test_the_library_page_names_the_functions_and_the_other_commands() -> None:
    page = (ROOT / "galaxy_models" / "README.md").read_text()
    assert set(re.findall(r"\bgm\.(\w+)", page)) == set(gm.__all__)

    (commands,) = re.findall(r"commands only \([^)]*\): ([^.]*)\.", page)
    functions = {"train" if name == "fit" else name for name in gm.__all__}
    assert set(re.findall(r"`(\w+)`", commands)) == set(JOB_NAMES) - functions


def test_every_dependency_is_pinned() -> None:
    pins = (ROOT / "infra" / "constraints.txt").read_text().lower().replace("_", "-")
    project = (ROOT / "pyproject.toml").read_text()
    named = re.findall(r'^    "([a-z0-9-]+)(?:\[[^"]*)?[<>=]', project, re.MULTILINE)
    assert "tensorflow" in named
    assert "pytest" in named
    assert [name for name in named if f"\n{name}==" not in pins] == []


def test_the_table_of_survey_scale_is_what_its_script_says() -> None:
    folder = ROOT / "tests" / "benchmarks"
    table = subprocess.run(
        [sys.executable, str(folder / "survey_scale.py")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert table.count("\n") == 10
    assert f"| --- | --- |\n{table}" in (folder / "README.md").read_text()
