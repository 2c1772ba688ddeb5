"""``quickstart --detect``, made small."""

from pathlib import Path

import pandas as pd
import pytest

from galaxy_models.cli import quickstart_detect
from galaxy_models.cli.quickstart import quickstart
from galaxy_models.config import QuickstartConfig


def test_it_leaves_detections_a_picture_and_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {
        "NUM_FRAMES": 1,
        "WIDTH_PX": 320,
        "HEIGHT_PX": 256,
        "NUM_GALAXIES": 10,
        "NUM_STARS": 6,
    }.items():
        monkeypatch.setattr(quickstart_detect, name, value)
    output = tmp_path / "found"
    figures = quickstart(QuickstartConfig(detect=True, output=str(output)))
    table = pd.read_parquet(output / "detections")
    assert (table["score"] >= 0.5).any()
    assert len(pd.read_parquet(output / "stamps")) > 0
    assert Path(figures["picture"]).stat().st_size > 1000
    assert "Detections against a truth" in Path(figures["page"]).read_text()
    printed = capsys.readouterr().out
    assert "table[table.is_primary & (table.score >= 0.5)]" in printed
    assert f"report: {figures['page']}" in printed
