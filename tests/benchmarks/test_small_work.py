"""The script counts every process below a command; what they take is the machine's."""

import json
import sys
from pathlib import Path

import pytest
import small_work
from small_work import SmallWork, cost_of


def test_a_command_that_fails_is_quoted() -> None:
    with pytest.raises(SystemExit, match="no such thing"):
        cost_of([sys.executable, "-c", "raise SystemExit('no such thing')"])


def test_script_writes_the_figures_of_the_commands_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(small_work, "NUM_SCORED", 4)
    monkeypatch.setattr(small_work, "NUM_LABELLED", 6)
    monkeypatch.setattr(small_work, "CUTOUT_PX", 48)
    path = tmp_path / "figures.json"

    small_work.main(SmallWork(only=("help", "local"), rounds=1, json=str(path)))

    figures = json.loads(path.read_text())
    assert list(figures) == ["help", "local"]
    for cost in figures.values():
        assert cost["wall_s"] > 0
        assert cost["num_processes"] == 1
    assert capsys.readouterr().out.startswith("command ")
