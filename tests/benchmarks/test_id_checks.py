"""The script writes a catalog's ids once each, and says what checking them took."""

import json
from pathlib import Path

import id_checks
import pandas as pd
import pytest
from PIL import Image


def test_written_ids_are_all_different(tmp_path: Path) -> None:
    id_checks.write_ids(tmp_path / "ids.parquet", 1000)
    assert pd.read_parquet(tmp_path / "ids.parquet")["object_id"].nunique() == 1000


def test_the_script_says_seconds_and_memory_and_draws_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = id_checks.Checks(
        rows=(1000,), plot=tmp_path / "ids.png", json=tmp_path / "ids.json"
    )

    id_checks.main(flags)

    (figures,) = json.loads((tmp_path / "ids.json").read_text())
    assert figures["rows"] == 1000
    assert figures["seconds"] > 0
    assert 0 < figures["idle_mb"] <= figures["peak_mb"]
    assert Image.open(tmp_path / "ids.png").width > 0
    assert "1,000 ids" in capsys.readouterr().out
