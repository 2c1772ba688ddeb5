"""The package as others get it: a wheel, installed into an empty environment."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
PINS = ROOT / "infra" / "constraints.txt"
# With these a process may find more than its environment holds.
NOT_PASSED_ON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


def run(folder: Path, *command: str | Path) -> str:
    """Run a program in a folder that is not this repository's; what it said."""
    environment = {k: v for k, v in os.environ.items() if k not in NOT_PASSED_ON}
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.faults
def test_the_wheel_works_in_an_empty_environment_and_folder(tmp_path: Path) -> None:
    programs, folder = tmp_path / "environment" / "bin", tmp_path / "empty"
    folder.mkdir()
    run(folder, sys.executable, "-m", "venv", programs.parent)
    run(folder, programs / "pip", "install", "-q", "uv")

    run(folder, programs / "uv", "build", "-q", ROOT, "-o", tmp_path / "dist")
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (source,) = (tmp_path / "dist").glob("*.tar.gz")  # the wheel is built from it
    into = ("--python", programs / "python")
    run(folder, programs / "uv", "pip", "install", "-q", *into, "-c", PINS, wheel)

    name = source.name.removesuffix(".tar.gz")
    packages = {path.partition("/")[0] for path in zipfile.ZipFile(wheel).namelist()}
    assert packages == {"galaxy_models", f"{name}.dist-info"}
    command = programs / "galaxy-batch"
    assert run(folder, command, "--version").split() == [
        "galaxy-batch",
        name.rpartition("-")[2],
    ]
    sizes = ("--num-labelled", "60", "--num-catalog", "50", "--epochs", "1")
    run(folder, command, "quickstart", *sizes)
    assert (folder / "quickstart" / "gallery.png").is_file()
    catalog = ("--catalog", "quickstart/survey/catalog.parquet")
    output = ("--output", "predictions", "--keep", "ra", "dec")
    run(folder, command, "score", *catalog, "--model", "galaxy-zoo", *output)
    table = pd.read_parquet(folder / "predictions")
    assert len(table) == 50
    assert (table["status"] == "ok").mean() > 0.9
