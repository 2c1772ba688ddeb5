"""The benchmark of detection, made small: its script runs and writes its figures."""

import json
from pathlib import Path

import detect_throughput
import pytest

from galaxy_models.simulation import WideSky


def test_it_times_every_contestant_and_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(detect_throughput, "DRAWN_PX", (320, 256))
    monkeypatch.setattr(detect_throughput, "SKY", WideSky(8, 8, blend_fraction=0))
    path = tmp_path / "figures.json"
    detect_throughput.main(detect_throughput.Settings(num_drawn=1, rounds=1, json=path))
    figures = json.loads(path.read_text())
    assert figures.keys() == {"fits", "jpg"}
    for one in figures.values():
        assert {"bare decoding", "plain sep", "jobs.detect"} <= one["rates"].keys()
        assert min(one["rates"].values()) > 0
        assert sum(one["shares"].values()) == pytest.approx(1)
    assert "stages of jobs.detect: " in capsys.readouterr().out
