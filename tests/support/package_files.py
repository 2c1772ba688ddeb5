"""The package's files, as they are built for others."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).parents[2]
# With these a process may find more than its environment holds.
NOT_PASSED_ON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


@dataclass(frozen=True)
class PackageFiles:
    """A wheel, the sources that it was built from, and what built it."""

    folder: Path

    @property
    def wheel(self) -> Path:
        """Alone in its folder."""
        (wheel,) = (self.folder / "alone").glob("*.whl")
        return wheel

    @property
    def source(self) -> Path:
        (source,) = (self.folder / "built").glob("*.tar.gz")
        return source

    @property
    def uv(self) -> Path:
        return self.folder / "environment" / "bin" / "uv"

    @property
    def uv_library(self) -> Path:
        """The folder that ``import uv`` finds it in; nothing of this project's."""
        (library,) = (self.folder / "environment").glob("lib/python*/site-packages")
        return library


def built_package(folder: Path) -> PackageFiles:
    """Build the package, unless another process has built it there.

    Args:
        folder: that the processes of one test run share.
    """
    package = PackageFiles(folder)
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "lock"):
        if not (folder / "alone").exists():
            _build(package)
    return package


def _build(package: PackageFiles) -> None:
    folder = package.folder
    run(folder, sys.executable, "-m", "venv", folder / "environment")
    run(folder, package.uv.with_name("pip"), "install", "-q", "uv")
    run(folder, package.uv, "build", "-q", ROOT, "-o", folder / "built")
    (wheel,) = (folder / "built").glob("*.whl")
    (folder / "alone").mkdir()
    wheel.rename(folder / "alone" / wheel.name)


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
