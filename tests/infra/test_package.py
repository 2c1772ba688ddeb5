"""The package as others get it: a wheel, installed into an empty environment."""

import tarfile
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from package_files import ROOT, PackageFiles, run

pytestmark = pytest.mark.faults

PINS = ROOT / "infra" / "constraints.txt"


def test_the_sources_are_the_repository(package: PackageFiles) -> None:
    known = ("--cached", "--others", "--exclude-standard")
    listed = set(run(ROOT, "git", "ls-files", *known).splitlines())
    with tarfile.open(package.source) as archive:
        files = (file.name for file in archive.getmembers() if file.isfile())
        names = {name.partition("/")[2] for name in files}
    assert listed <= names
    made = {name for name in names - listed if "egg-info" not in name}
    assert made == {"PKG-INFO", "setup.cfg"}


def test_the_wheel_works_in_an_empty_environment_and_folder(
    package: PackageFiles, tmp_path: Path
) -> None:
    programs, folder = tmp_path / "environment" / "bin", tmp_path / "empty"
    folder.mkdir()
    run(folder, package.uv, "venv", "-q", programs.parent)
    into = ("--python", programs / "python", "-c", PINS)
    run(folder, package.uv, "pip", "install", "-q", *into, package.wheel)

    name = package.source.name.removesuffix(".tar.gz")
    files = zipfile.ZipFile(package.wheel).namelist()
    packages = {path.partition("/")[0] for path in files}
    assert packages == {"galaxy_models", f"{name}.dist-info"}
    for library in ("galaxy_models", "keras", "PIL", "pyarrow", "simplejpeg"):
        (folder / f"{library}.py").write_text("raise OSError('the wrong one')")
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
