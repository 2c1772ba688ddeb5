"""The examples in docstrings run, in a folder with a made-up survey."""

import doctest
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from galaxy_models.cli import notebook
from galaxy_models.evaluation import evaluate
from galaxy_models.images.decode import read_images
from galaxy_models.models.calibration import fit_temperature
from galaxy_models.simulation import Survey, WideSky, write_frames


def run_example(function: Callable[..., Any]) -> None:
    names = vars(sys.modules[function.__module__])
    finder = doctest.DocTestFinder(recurse=False)
    (example,) = finder.find(function, function.__name__, globs=names)
    assert example.examples
    report: list[str] = []
    doctest.DocTestRunner().run(example, out=report.append)
    assert "".join(report) == ""


@pytest.fixture
def folder(labelled: Survey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the survey ``labelled`` in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labelled").symlink_to(labelled.catalog.parent)
    return tmp_path


def test_the_example_of_fit_temperature_runs() -> None:
    run_example(fit_temperature)


def test_the_example_of_read_images_runs(folder: Path) -> None:
    run_example(read_images)


def test_the_example_of_evaluate_runs(
    folder: Path, predictions: Path, labels: Path
) -> None:
    run_example(evaluate)
    shutil.rmtree("report")
    run_example(notebook.evaluate)


def test_the_examples_of_the_notebooks_functions_run(folder: Path) -> None:
    run_example(notebook.predict)
    run_example(notebook.score)


@pytest.mark.slow
def test_the_example_of_fit_runs(ray_here: None, folder: Path) -> None:
    from galaxy_models.training import fit

    run_example(fit)
    assert (folder / "model" / "model.keras").exists()


@pytest.mark.slow
def test_the_example_of_score_runs(folder: Path, unlabelled: Survey) -> None:
    from galaxy_models.scoring import score

    (folder / "survey").symlink_to(unlabelled.catalog.parent)
    run_example(score)


def test_the_example_of_detect_runs(folder: Path) -> None:
    from galaxy_models.detection import detect

    sky = WideSky(num_galaxies=5, num_stars=5)
    write_frames(folder / "frames", 2, width=256, height=256, sky=sky)
    run_example(detect)
    run_example(notebook.detect)  # finished already


def test_an_example_that_is_wrong_is_noticed() -> None:
    def wrong() -> None:
        """Example.

        >>> 1 + 1
        3
        """

    with pytest.raises(AssertionError, match="Failed example"):
        run_example(wrong)
