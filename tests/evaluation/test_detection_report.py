"""``jobs.evaluate --detections --truth``: tables in, a page and numbers out."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from own_files import files_of_others
from PIL import Image

from galaxy_models.cli.command_line import run_job
from galaxy_models.cli.evaluate import write_report
from galaxy_models.config import EvaluateConfig
from galaxy_models.errors import CatalogError, ConfigError, PredictionsError
from galaxy_models.evaluation.report_files import OUTPUT

NAME = "<a>&.png"  # a page must not take it for a tag


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, Any]:
    """Twenty true galaxies, of which six are missed, and detections of them."""
    rng = np.random.default_rng(0)
    places = np.stack(np.meshgrid(np.arange(5), np.arange(4)), -1).reshape(-1, 2)
    x, y = (50 * places + 30 + rng.normal(0, 0.1, places.shape)).T
    truth = pd.DataFrame(
        {
            "image": NAME,
            "kind": "galaxy",
            "label": "spiral",
            "x": x,
            "y": y,
            "r_magnitude": np.repeat([18.2, 18.7, 19.2, 19.7], 5),
            "half_light_radius_px": 3.0,
            "r90_px": 7.0,
        }
    )
    found = pd.DataFrame(
        {
            "object_id": np.arange(1, 16),
            "image": NAME,
            "x": [*x[:14], 3.0],
            "y": [*y[:14], 3.0],
            "flux": 10 ** (0.4 * (22.5 - truth["r_magnitude"][:15])),
            "snr": 40.0,
            "half_light_radius": 3.0,
            "is_primary": True,
            "predicted_class": "spiral",
            "score": np.linspace(0.99, 0.6, 15),
            "status": "ok",
        }
    )
    images = tmp_path / "images"
    images.mkdir()
    pixels = rng.integers(0, 60, (220, 270, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(images / NAME)
    truth.to_parquet(tmp_path / "truth.parquet")
    (tmp_path / "found").mkdir()
    found.to_parquet(tmp_path / "found" / "part-000000.parquet")
    return {
        "detections": str(tmp_path / "found"),
        "truth": str(tmp_path / "truth.parquet"),
        "output": str(tmp_path / "report"),
        "image_root": str(images),
    }


def run(**flags: Any) -> int:
    arguments = [
        part
        for name, value in flags.items()
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]
    return run_job(EvaluateConfig, write_report, None, arguments, remedy="again")


def test_the_report_has_numbers_figures_and_galleries(
    tables: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(**tables) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["galaxies"], summary["found"]) == (20, 14)
    report = tmp_path / "report"
    assert {path.name for path in report.iterdir()} == {
        "_evaluation.json", "report.html", "metrics.json", "completeness_magnitude.png",
        "completeness_size.png", "purity.png", "positions.png",
        "purity_galaxies.png", "confusion_matrix.png",
    }  # fmt: skip
    assert files_of_others(report, OUTPUT) == []
    metrics = json.loads((report / "metrics.json").read_text())
    assert metrics["purity"]["snr_5"] == pytest.approx(14 / 15, abs=1e-6)
    limits = metrics["completeness"]["limits"]
    assert limits == pytest.approx({"50%": 19.4375, "95%": 18.875})
    assert metrics["average_precision_50"] == pytest.approx(0.7)
    page = (report / "report.html").read_text()
    for title in ("Missed galaxies", "Called a galaxy, and none", "Nothing there"):
        assert f"<h3>{title} " in page
    assert "&lt;a&gt;&amp;.png" in page
    assert NAME not in page
    assert page.count("data:image/jpeg;base64,") == 6 + 1 + 1
    assert page.count("data:image/png;base64,") == 6


def test_without_its_images_the_report_says_how_to_show_them(
    tables: dict[str, Any], tmp_path: Path
) -> None:
    del tables["image_root"]
    write_report(EvaluateConfig(**tables, partial_truth=True))
    page = (tmp_path / "report" / "report.html").read_text()
    assert "name their folder with --image-root" in page
    assert "The truth is partial" in page
    assert not (tmp_path / "report" / "purity.png").exists()


def test_what_cannot_be_compared_is_refused(
    tables: dict[str, Any], tmp_path: Path
) -> None:
    truth = pd.read_parquet(tables["truth"])
    for wrong, error, message in (
        (
            truth.assign(image="b.png"),
            PredictionsError,
            "such as b.png.* alike in both",
        ),
        (truth.drop(columns="x"), CatalogError, "has no column x; it needs image"),
        (truth.assign(y=np.nan), CatalogError, "has rows without x or y"),
    ):
        wrong.to_parquet(tmp_path / "wrong.parquet")
        changed = tables | {"truth": str(tmp_path / "wrong.parquet")}
        with pytest.raises(error, match=message):
            write_report(EvaluateConfig(**changed))
    other = tables | {"detections": tables["truth"]}
    with pytest.raises(PredictionsError, match="no column object_id, .*jobs.detect"):
        write_report(EvaluateConfig(**other))


@pytest.mark.parametrize(
    ("flag", "value", "shown"),
    [
        ("labels", "l.csv", "l.csv"),
        ("id_column", "name", "name"),
        ("label_column", "class", "class"),
        ("volunteers_column", "n", "n"),
        ("label_groups", ("disc=spiral+edge_on",), "disc=spiral+edge_on"),
        ("exclude_label", ("merger", "star"), "merger star"),
        ("catalog", "/nowhere.csv", "/nowhere.csv"),
        ("image_column", "path", "path"),
        ("num_bins", 3, "3"),
    ],
)
def test_flags_about_predictions_are_refused_with_detections(
    flag: str, value: Any, shown: str
) -> None:
    named = f"--{flag.replace('_', '-')} {re.escape(shown)}"
    with pytest.raises(
        ConfigError, match=rf"^{named}: belongs to --predictions; .*--detections"
    ):
        EvaluateConfig(detections="d", truth="t", output="r", **{flag: value})


@pytest.mark.parametrize(
    ("flag", "value"),
    [("partial_truth", True), ("match_radius", 9.0), ("min_score", 0.9)],
)
def test_flags_about_detections_are_refused_with_predictions(
    flag: str, value: Any
) -> None:
    message = (
        f"^--{flag.replace('_', '-')} {value}: belongs to --detections; leave it out "
        "with --predictions"
    )
    with pytest.raises(ConfigError, match=message):
        EvaluateConfig(predictions="p", output="r", **{flag: value})


def test_flags_of_both_modes_are_taken_by_both() -> None:
    both: dict[str, Any] = {
        "output": "r",
        "image_root": "i",
        "allow_image_prefix": ("/disk",),
        "gallery_size": 3,
        "overwrite": True,
    }
    EvaluateConfig(predictions="p", **both)
    EvaluateConfig(detections="d", truth="t", **both)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({}, "either --predictions or --detections"),
        ({"predictions": "p", "detections": "d", "truth": "t"}, "either --predictions"),
        ({"detections": "d"}, "--detections and --truth belong together"),
        ({"predictions": "p", "truth": "t"}, "--detections and --truth belong"),
        (
            {"detections": "d", "truth": "t", "labels": "l"},
            "--labels l: belongs to --predictions",
        ),
        (
            {"detections": "d", "truth": "t", "match_radius": 0},
            "--match-radius 0: must be above 0 px",
        ),
        (
            {"detections": "d", "truth": "t", "min_score": 2},
            "--min-score 2: must lie from 0 to 1",
        ),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    flags: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        EvaluateConfig(output="r", **flags)
