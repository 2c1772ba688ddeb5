"""The notebook runs in a real kernel, reads well, and is stored without output."""

from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from infra_files import NOTEBOOK, ROOT
from nbclient import NotebookClient

MAX_CELLS = 10
PROGRESS = """
from galaxy_models.cli.notebook_lines import lines_in_cell
from galaxy_models.cluster.progress import Progress
with lines_in_cell():
    progress = Progress(90, 0, interval_s=1e-9)
    for rows in (0, 30, 60):
        progress({"rows": rows, "failed": 0})
"""
AFTERWARDS = """
import logging, sys
print(len(few), logging.getLogger("galaxy_models").handlers)
logging.basicConfig(level="INFO", stream=sys.stdout, format="said: %(message)s")
gm.score(catalog=str(survey.catalog), model="galaxy-zoo", output="predictions",
         keep=("ra", "dec"));
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def cells(folder: Path) -> list[Any]:
    """The notebook's cells of code with their outputs, and the two above likewise."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells += map(nbformat.v4.new_code_cell, (PROGRESS, AFTERWARDS))
    client = NotebookClient(notebook, resources={"metadata": {"path": str(folder)}})
    client.execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell: Any) -> list[str]:
    """Lines that were displayed as text alone."""
    of_cell = [
        output for output in cell.outputs if output.output_type == "display_data"
    ]
    texts = [output.data for output in of_cell if list(output.data) == ["text/plain"]]
    return [line for text in texts for line in text["text/plain"].splitlines()]


def printed(cell: Any) -> str:
    streams = (one for one in cell.outputs if one.output_type == "stream")
    return "".join(stream.text for stream in streams)


def test_every_cell_runs_in_turn(cells: list[Any], folder: Path) -> None:
    assert len(pd.read_parquet(folder / "predictions")) == 60
    assert {path.name for path in folder.glob("*.png")} == {
        "classes.png",
        "galaxies.png",
    }
    assert printed(cells[-1]).startswith("8 []\n")


def test_the_log_stands_below_its_cell_and_not_in_red(cells: list[Any]) -> None:
    (scoring,) = (cell for cell in cells[:-1] if "gm.score(" in cell.source)
    assert "scoring 60 of 60 galaxies: " in shown(scoring)[-1]
    assert [printed(cell) for cell in cells[:-1]] == [""] * (len(cells) - 1)


def test_a_line_of_progress_replaces_the_one_before(cells: list[Any]) -> None:
    (line,) = shown(cells[-2])
    assert " 60 of 90 rows (67 %), " in line


def test_a_log_that_the_caller_has_set_up_is_left_alone(cells: list[Any]) -> None:
    assert "\nsaid: predictions is finished already" in printed(cells[-1])
    assert shown(cells[-1]) == []


def test_it_is_stored_short_and_without_output() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert len(notebook.cells) <= MAX_CELLS
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_readme_names_the_notebook() -> None:
    assert f"`{NOTEBOOK.relative_to(ROOT)}`" in (ROOT / "README.md").read_text()
