"""The notebook runs from its first cell to its last, and is stored without output."""

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "infra" / "notebooks" / "from_cutouts_to_a_plot.ipynb"
MAX_CELLS = 10


def code_cells() -> list[dict[str, Any]]:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert len(cells) <= MAX_CELLS
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_every_cell_runs_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("agg")
    names: dict[str, Any] = {}

    for place, cell in enumerate(code_cells()):
        exec(compile("".join(cell["source"]), f"cell {place}", "exec"), names)
    plt.close("all")

    assert len(pd.read_parquet("predictions")) == 60
    assert len(names["few"]) == 8
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "classes.png",
        "galaxies.png",
    }


def test_no_output_is_stored() -> None:
    for cell in code_cells():
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


def test_readme_names_the_notebook() -> None:
    assert f"`{NOTEBOOK.relative_to(ROOT)}`" in (ROOT / "README.md").read_text()
