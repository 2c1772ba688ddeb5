"""Type checkers of other projects read this package's annotations."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_package_says_that_it_is_typed_and_ships_the_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert (ROOT / "galaxy_models" / "py.typed").is_file()
    assert "py.typed" in project["tool"]["setuptools"]["package-data"]["galaxy_models"]
