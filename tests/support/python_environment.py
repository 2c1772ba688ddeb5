"""Environments of Python that hold less than this one."""

import sys
import venv
from pathlib import Path


def environment_without_package(folder: Path, *more: Path) -> Path:
    """Make an environment with this one's libraries, but without this project.

    So are the machines of a cluster that get the package with a job. What is installed
    as a link to its sources, as here, is not found through another environment.

    Args:
        folder: made here.
        more: further folders of libraries.

    Returns:
        The folder of its programs, ``python`` and ``ray``.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    (own,) = folder.glob("lib/python*/site-packages")
    libraries = [path for path in sys.path if Path(path).name == "site-packages"]
    (own / "libraries.pth").write_text("\n".join([*libraries, *map(str, more), ""]))
    programs = folder / "bin"
    ray = programs / "ray"
    script = Path(sys.executable).with_name("ray").read_text()
    _, _, code = script.partition("\n")
    ray.write_text(f"#!{programs / 'python'}\n{code}")
    ray.chmod(0o755)
    return programs
