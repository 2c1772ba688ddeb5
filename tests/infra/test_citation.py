"""How to cite the package, and what the workflows and the package say of it."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CITATION = yaml.safe_load((ROOT / "galaxy_models" / "CITATION.cff").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
README = (ROOT / "README.md").read_text()


def test_the_citation_has_the_packages_version_and_licence() -> None:
    project = PROJECT["project"]
    assert CITATION["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= CITATION.keys()
    assert (CITATION["version"], CITATION["license"]) == (
        project["version"],
        project["license"],
    )
    assert f"version = {{{project['version']}}}" in README


def test_the_citation_is_part_of_the_package() -> None:
    shipped = PROJECT["tool"]["setuptools"]["package-data"]["galaxy_models"]
    assert "CITATION.cff" in shipped
    assert "galaxy_models/CITATION.cff" in README


def test_readme_and_the_citation_name_the_same_papers() -> None:
    papers = [
        f"{paper['volume']}, {paper['start']}"
        for paper in CITATION["references"]
        if "volume" in paper
    ]
    assert papers == re.findall(r"MNRAS\s+(\d+, \d+)", README)


def test_the_workflow_runs_what_everybody_runs() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    versions = {
        line.rpartition(" ")[2]
        for line in PROJECT["project"]["classifiers"]
        if line.startswith("Programming Language :: Python :: 3.")
    }
    assert set(job["strategy"]["matrix"]["python"]) == versions
